//! `servers[]` → the one place the data is read from.
//!
//! Of several servers the first with `environment: production` (or `prod`) counts, else the first of all.

use super::layout;
use crate::contract::document::{KNOWN_SERVER_TYPES, server as shape};
use crate::contract::locate::{At, Node};
use crate::contract::model::{Format, Location, Server};
use crate::contract::shape::{Expect, Findings, quote, walk};
use crate::diagnostic::did_you_mean;

const SUPPORTED: &str = "local, s3";

/// The server and where its place stands.
pub fn check(tree: &Node, findings: &mut Findings<'_>) -> Option<(Server, At)> {
    let servers = tree.list("servers");
    let production = |node: &&Node| matches!(node.text_of("environment"), Some("production" | "prod"));
    let Some(chosen) = servers.iter().find(production).or_else(|| servers.first()) else {
        let at = tree.get("servers").map_or(tree.at, |node| node.at);
        findings.error(at, "contract has no server", "add `servers:` with one of type `local` or `s3`");
        return None;
    };
    let mut found = None;
    for node in servers {
        let kind = node.text_of("type").unwrap_or_default();
        walk(node, "server", &Expect::Map(shape(kind)), findings);
        let is_chosen = std::ptr::eq(node, chosen);
        if let Some(at) = node.get("type").map(|node| node.at)
            && !kind.is_empty()
            && !matches!(kind, "local" | "s3")
        {
            let known = KNOWN_SERVER_TYPES.contains(&kind);
            if is_chosen || !known {
                let message = format!("unsupported server type `{}` (supported: {SUPPORTED})", quote(kind));
                let hint = match did_you_mean(kind, KNOWN_SERVER_TYPES.iter().copied()) {
                    Some(hint) if !known => hint,
                    _ => "the product is listed but not served; serve its data as files, of type `local` or `s3`"
                        .to_owned(),
                };
                findings.unsupported(at, message, hint);
            }
            continue;
        }
        let checked = one(node, kind, findings);
        if is_chosen {
            found = checked;
        }
    }
    found
}

fn one(node: &Node, kind: &str, findings: &mut Findings<'_>) -> Option<(Server, At)> {
    let format = format(node, findings);
    let layout = layout::check(node, format, findings);
    let (at, location) = match kind {
        "local" => {
            let node = node.get("path")?;
            let path = node.text()?;
            local(path, node.at, findings);
            (node.at, Location::Local { path: path.to_owned() })
        }
        "s3" => {
            let node = node.get("location")?;
            let url = node.text()?;
            s3(url, node.at, findings);
            (node.at, Location::S3 { url: url.to_owned() })
        }
        _ => return None,
    };
    Some((Server { name: node.owned("server")?, location, format: format?, layout }, at))
}

fn format(node: &Node, findings: &mut Findings<'_>) -> Option<Format> {
    let node = node.get("format")?;
    let text = node.text()?;
    let all = [Format::Parquet, Format::Delta, Format::Csv, Format::Json];
    let found = all.into_iter().find(|format| format.as_str() == text);
    if found.is_none() {
        let hint =
            did_you_mean(text, all.map(Format::as_str)).unwrap_or_else(|| "convert the data to one of them".to_owned());
        findings.unsupported(
            node.at,
            format!("unsupported format `{}` (supported: parquet, delta, csv, json)", quote(text)),
            hint,
        );
    }
    found
}

fn local(path: &str, at: At, findings: &mut Findings<'_>) {
    let relative = "write a path relative to the domain's root, which the operator configures";
    if path.is_empty() {
        findings.error(at, "the path is empty", relative);
    } else if is_absolute(path) {
        findings.error(at, format!("`{}` is not a relative path", quote(path)), relative);
    } else if leaves(path) {
        findings.error(at, format!("`{}` leaves the domain's root", quote(path)), relative);
    }
}

fn s3(url: &str, at: At, findings: &mut Findings<'_>) {
    let hint = "write `s3://bucket/key`, below the prefix that the operator configures for the domain";
    let key = url.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    match key {
        Some((bucket, key))
            if !bucket.is_empty() && !bucket.contains(['@', ':', '?', '#']) && !key.contains(['?', '#']) =>
        {
            if leaves(key) {
                findings.error(at, format!("`{}` leaves its prefix", quote(url)), hint);
            }
        }
        _ => findings.error(at, format!("`{}` is not an S3 location", quote(url)), hint),
    }
}

/// A name below some folder: `{model}` is replaced by such a one.
pub fn is_relative(path: &str) -> bool {
    !path.is_empty() && !is_absolute(path) && !leaves(path)
}

fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '\\', '~']) || path.contains(':')
}

/// Segments that climb, also written with escapes or backslashes; control characters.
fn leaves(path: &str) -> bool {
    let decoded = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
    decoded.split(['/', '\\']).any(|segment| segment == "..") || decoded.chars().any(char::is_control)
}
