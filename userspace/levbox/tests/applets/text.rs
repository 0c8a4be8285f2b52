//! Utilities that print and change text.

use std::io::{BufRead, BufReader, Write};
use std::{fs, str};

use crate::place::Place;

#[test]
fn cat_joins_files() {
    let place = Place::new("cat");
    place.write("a", "one\n");
    place.write("b", "two");
    assert_eq!(place.run(&["cat", "a", "b"]), "one\ntwo");
    assert_eq!(place.filter(&["cat"], "input"), "input");
    assert_eq!(
        place.filter(&["cat", "a", "-", "b"], "input\n"),
        "one\ninput\ntwo"
    );
    assert_eq!(place.run(&["cat", "-n", "a", "b"]), "     1\tone\n     2\ttwo");
    let big = "0123456789".repeat(50_000);
    assert_eq!(place.filter(&["cat"], &big), big);
    assert_eq!(
        place.run_with(&["cat", "x", "a"], ""),
        ("one\n".into(), "cat: x: No such file or directory\n".into(), 1)
    );
    assert_eq!(place.fail(&["cat", "."]), "cat: .: Is a directory\n");
}

#[test]
fn echo_prints_its_arguments() {
    let place = Place::new("echo");
    assert_eq!(place.run(&["echo"]), "\n");
    assert_eq!(place.run(&["echo", "a", "b  c"]), "a b  c\n");
    assert_eq!(place.run(&["echo", "-n", "a"]), "a");
    assert_eq!(place.run(&["echo", "a\\tb"]), "a\\tb\n");
    assert_eq!(place.run(&["echo", "-e", "a\\tb\\c", "d"]), "a\tb");
    assert_eq!(place.run(&["echo", "-x", "--", "-"]), "-x -- -\n");
}

#[test]
fn head_and_tail_show_the_ends() {
    let place = Place::new("head");
    let lines: String = (1..=20).map(|number| format!("line {number}\n")).collect();
    let part = |from: usize, to: usize| {
        (from..=to)
            .map(|number| format!("line {number}\n"))
            .collect::<String>()
    };
    place.write("f", &lines);
    place.write("short", "no newline");
    assert_eq!(place.run(&["head", "f"]), part(1, 10));
    assert_eq!(place.run(&["head", "-n", "3", "f"]), part(1, 3));
    assert_eq!(place.run(&["head", "-2", "f"]), part(1, 2));
    assert_eq!(place.run(&["head", "-n0", "f"]), "");
    assert_eq!(place.run(&["head", "-c", "6", "f"]), "line 1");
    assert_eq!(place.filter(&["head", "-n", "1"], &lines), "line 1\n");
    assert_eq!(
        place.run(&["head", "-n1", "f", "short"]),
        "==> f <==\nline 1\n\n==> short <==\nno newline"
    );
    assert_eq!(place.run(&["head", "-q", "-n1", "f", "f"]), "line 1\nline 1\n");
    assert_eq!(place.run(&["tail", "f"]), part(11, 20));
    assert_eq!(place.run(&["tail", "-n", "2", "f"]), part(19, 20));
    assert_eq!(place.run(&["tail", "-1", "f"]), part(20, 20));
    assert_eq!(place.run(&["tail", "-n", "+19", "f"]), part(19, 20));
    assert_eq!(place.run(&["tail", "-c", "3", "f"]), "20\n");
    assert_eq!(place.run(&["tail", "-c", "+100", "f"]), lines[99..]);
    assert_eq!(place.run(&["tail", "-n", "3", "short"]), "no newline");
    let big: String = (0..30_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(place.filter(&["tail", "-n", "2"], &big), "29998\n29999\n");
    assert_eq!(place.filter(&["head", "-n", "29999"], &big), big[..big.len() - 6]);
    assert_eq!(
        place.fail(&["head", "-n", "x", "f"]),
        "head: invalid number 'x'\n"
    );
    assert_eq!(place.fail(&["tail", "x"]), "tail: x: No such file or directory\n");
}

#[test]
fn sort_orders_lines() {
    let place = Place::new("sort");
    let sort = |words: &[&str], input: &str| place.filter(&[&["sort"], words].concat(), input);
    assert_eq!(sort(&[], "b\na\nC\n\nb"), "\nC\na\nb\nb\n");
    assert_eq!(sort(&["-r"], "a\nc\nb\n"), "c\nb\na\n");
    assert_eq!(sort(&["-u"], "b\na\nb\na\n"), "a\nb\n");
    assert_eq!(sort(&["-n"], "10\n9\n-1\nx\n1.5\n"), "-1\nx\n1.5\n9\n10\n");
    assert_eq!(sort(&["-nr"], "10\n9\n100\n"), "100\n10\n9\n");
    assert_eq!(sort(&["-f"], "b\nA\na\nB\n"), "A\na\nB\nb\n");
    assert_eq!(sort(&["-nu"], "1\n01\n2\n"), "1\n2\n");
    assert_eq!(sort(&["-k", "2"], "x 2\ny 1\n"), "y 1\nx 2\n");
    assert_eq!(
        sort(&["-t", ":", "-k", "3n"], "a:b:10\nc:d:9\n"),
        "c:d:9\na:b:10\n"
    );
    assert_eq!(
        sort(&["-t:", "-k2,2", "-k1,1r"], "a:1\nb:1\nc:0\n"),
        "c:0\nb:1\na:1\n"
    );
    assert_eq!(sort(&["-s", "-k1,1"], "a 2\na 1\n"), "a 2\na 1\n");
    assert_eq!(sort(&["-k1,1"], "a 2\na 1\n"), "a 1\na 2\n");
    assert_eq!(sort(&[], ""), "");
    place.write("f", "b\na");
    place.write("g", "c\n");
    assert_eq!(place.run(&["sort", "-o", "f", "f", "g"]), "");
    assert_eq!(place.read("f"), "a\nb\nc\n");
    let (_, message, status) = place.run_with(&["sort", "none"], "");
    assert_eq!(
        (message.as_str(), status),
        ("sort: none: No such file or directory\n", 2)
    );
}

#[test]
fn wc_counts() {
    let place = Place::new("wc");
    place.write("a", "one two\nthree\n");
    place.write("b", "no newline");
    assert_eq!(place.run(&["wc", "a"]), " 2  3 14 a\n");
    assert_eq!(place.run(&["wc", "-l", "a"]), "2 a\n");
    assert_eq!(
        place.run(&["wc", "a", "b"]),
        " 2  3 14 a\n 0  2 10 b\n 2  5 24 total\n"
    );
    assert_eq!(place.filter(&["wc"], "a b\n"), "      1       2       4\n");
    assert_eq!(place.filter(&["wc", "-c"], "a b\n"), "4\n");
    assert_eq!(place.filter(&["wc", "-m"], "h\u{e4}\n"), "3\n");
    assert_eq!(place.filter(&["wc", "-cw"], "a b\n"), "      2       4\n");
    assert_eq!(place.fail(&["wc", "x"]), "wc: x: No such file or directory\n");
}

#[test]
fn tail_follows_files() {
    let place = Place::new("tail-follow");
    place.write("a", "1\n2\n");
    place.write("b", "");
    let mut child = place.start(&["tail", "-f", "-n", "1", "a", "b"]);
    let mut lines = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
    let mut next = || lines.next().expect("it goes on").expect("it prints text");
    assert_eq!(
        [next(), next(), next(), next()],
        ["==> a <==", "2", "", "==> b <=="]
    );
    let append = |name: &str, text: &str| {
        let file = fs::File::options().append(true).open(place.path(name));
        file.expect("ours").write_all(text.as_bytes()).expect("ours");
    };
    append("b", "3\n");
    assert_eq!(next(), "3");
    append("a", "4\n");
    assert_eq!([next(), next(), next()], ["", "==> a <==", "4"]);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
