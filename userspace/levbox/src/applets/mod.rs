//! The utilities, one a file, and their table in the order of their names.

mod cat;
mod cp;
mod echo;
mod env;
mod head;
mod hello;
mod ln;
mod ls;
mod mkdir;
mod mv;
mod poweroff;
mod ps;
mod pwd;
mod rm;
mod rmdir;
mod sleep;
mod sort;
mod tail;
mod touch;
mod truth;
mod uname;
mod wc;

use crate::{Applet, Call};

const fn applet(name: &'static str, usage: &'static str, run: fn(&Call<'_>) -> i32) -> Applet {
    Applet { name, usage, run }
}

/// All utilities, by name.
pub static APPLETS: &[Applet] = &[
    applet("cat", "[-nu] [FILE]...", cat::run),
    applet("cp", "[-adfiLPprRv] SOURCE... DESTINATION", cp::run),
    applet("echo", "[-neE] [WORD]...", echo::run),
    applet(
        "env",
        "[-i] [-u NAME]... [NAME=VALUE]... [COMMAND [ARGUMENT]...]",
        env::run,
    ),
    applet("false", "", truth::no),
    applet("head", "[-qv] [-n LINES | -c BYTES] [FILE]...", head::run),
    applet("hello", "", hello::run),
    applet("ln", "[-fnsv] TARGET... [NAME | DIRECTORY]", ln::run),
    applet("ls", "[-1aACdFhilnpRrSt] [FILE]...", ls::run),
    applet("mkdir", "[-pv] [-m MODE] DIRECTORY...", mkdir::run),
    applet("mv", "[-finv] SOURCE... DESTINATION", mv::run),
    applet("poweroff", "[-f]", poweroff::power_off),
    applet("ps", "", ps::run),
    applet("pwd", "[-LP]", pwd::run),
    applet("reboot", "[-f]", poweroff::reboot),
    applet("rm", "[-firRv] FILE...", rm::run),
    applet("rmdir", "[-pv] DIRECTORY...", rmdir::run),
    applet("sleep", "NUMBER[smhd]...", sleep::run),
    applet(
        "sort",
        "[-bfnrsu] [-k KEY]... [-t CHARACTER] [-o FILE] [FILE]...",
        sort::run,
    ),
    applet("tail", "[-fqv] [-n [+]LINES | -c [+]BYTES] [FILE]...", tail::run),
    applet(
        "touch",
        "[-acm] [-r FILE | -t [[CC]YY]MMDDhhmm[.SS]] FILE...",
        touch::run,
    ),
    applet("true", "", truth::yes),
    applet("uname", "[-amnorsv]", uname::run),
    applet("wc", "[-clmw] [FILE]...", wc::run),
];
