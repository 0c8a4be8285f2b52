//! The answers of a sweep as a text that can be read: combinations with the same answer on one line.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Dimension;

/// Returns the lines for the answers to all combinations, in the order of [`super::combination`]. Values of a
/// dimension behind which everything is the same stand together, and `*` is all of them.
pub(super) fn lines(dimensions: &[Dimension], answers: &[String]) -> Vec<String> {
    let [first, rest @ ..] = dimensions else {
        return answers.iter().map(|answer| format!(") = {answer}")).collect();
    };
    let mut groups: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (&(name, _), answers) in first.iter().zip(answers.chunks(answers.len() / first.len())) {
        let below = lines(rest, answers);
        match groups.iter_mut().find(|(_, lines)| *lines == below) {
            Some((names, _)) => names.push(name),
            None => groups.push((alloc::vec![name], below)),
        }
    }
    let separator = if rest.is_empty() { "" } else { ", " };
    let mut text = Vec::new();
    for (names, below) in &groups {
        let names = if groups.len() == 1 {
            "*".into()
        } else {
            names.join("|")
        };
        text.extend(below.iter().map(|line| format!("{names}{separator}{line}")));
    }
    text
}
