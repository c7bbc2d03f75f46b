//! Policies against a mesh made by hand: the demo's datasets, and what a few people see of them.

mod acceptance;
mod closed;
mod dead;
mod denied;
mod docs;
mod fixture;
mod rewrites;
mod scale;
mod slices;
mod smaller;
mod stated;
