//! TODO face
