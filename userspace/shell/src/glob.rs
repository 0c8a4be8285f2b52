//! Names that match a pattern (`POSIX.1-2017, Shell Command Language, 2.6.6`).

use alloc::vec::Vec;

use rt::fs;

use crate::pattern;

/// Returns the existing paths that match, sorted; none when nothing matches.
pub fn expand(pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut paths = Vec::from([Vec::new()]);
    let mut components = pattern.split(|byte| *byte == b'/').peekable();
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        let mut longer = Vec::new();
        for path in paths {
            extend(&path, component, &mut longer);
        }
        if !is_last {
            longer.iter_mut().for_each(|path| path.push(b'/'));
        }
        paths = longer;
    }
    paths
}

/// Appends the path's continuations by one component.
fn extend(path: &[u8], component: &[u8], into: &mut Vec<Vec<u8>>) {
    if !pattern::has_wildcard(component) {
        let mut candidate = path.to_vec();
        candidate.extend(pattern::unescape(component));
        if candidate.is_empty() || fs::symlink_metadata(&candidate).is_ok() {
            into.push(candidate);
        }
        return;
    }
    let directory = if path.is_empty() { b"." } else { path };
    let mut names: Vec<_> = fs::read_directory(directory)
        .unwrap_or_default()
        .into_iter()
        .map(|entry| entry.name)
        // A leading dot is matched by a dot only.
        .filter(|name| {
            !name.starts_with(b".") || component.starts_with(b".") || component.starts_with(b"\\.")
        })
        .filter(|name| pattern::matches(component, name))
        .collect();
    names.sort();
    into.extend(names.into_iter().map(|name| [path, &name].concat()));
}
