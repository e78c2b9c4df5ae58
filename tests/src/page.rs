//! `docs/operating.md`, as far as it can be run: its commands.

use std::fs;

use crate::root;

/// The commands of a section: what stands after `$ ` in its console blocks, with the lines that go on.
pub fn commands(heading: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    // Between the fences; within a list they are indented.
    let blocks = section.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut commands = Vec::<String>::new();
    for block in blocks {
        let indent = block.find('$').unwrap();
        for line in block.lines().filter(|line| line.len() > indent) {
            match (line[indent..].strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push(command.to_owned()),
                (None, Some(command)) => command.extend(["\n", &line[indent..]]),
                (None, None) => panic!("output before the first command: {line}"),
            }
        }
    }
    assert!(!commands.is_empty(), "{heading} has no commands");
    commands
}
