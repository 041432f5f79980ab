//! Running the built binary: a folder of its own, a command in it, and a server that it became.
//!
//! Nothing here sleeps or polls: tests wait for lines that the server prints and for its end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io::Write as _};

use tempfile::TempDir;

mod http;
mod served;

pub(crate) use http::{Answer, Connection};
pub(crate) use served::{Served, chat_body, post};

/// A folder that is gone after the test.
#[derive(Debug)]
pub(crate) struct Dir(TempDir);

impl Dir {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file, whole, in the place of an older one.
    pub(crate) fn create(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let aside = path.with_extension("new");
        fs::write(&aside, text).unwrap();
        fs::rename(&aside, &path).unwrap();
        path
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The text of a file in the folder.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `llmirage ARGS`, run in the folder. The arguments are separated by white space.
    pub(crate) fn command(&self, args: &str) -> TestCommand {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmirage"));
        command.current_dir(self.0.path()).args(args.split_whitespace());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LLMIRAGE_") {
                command.env_remove(name);
            }
        }
        TestCommand { command, stdin: Vec::new() }
    }
}

/// A command that is about to run.
#[derive(Debug)]
pub(crate) struct TestCommand {
    command: Command,
    stdin: Vec<u8>,
}

/// What a command left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// The exit code.
    pub(crate) code: i32,
    /// All of stdout.
    pub(crate) stdout: String,
    /// All of stderr.
    pub(crate) stderr: String,
}

impl TestCommand {
    /// One more argument, white space and all.
    pub(crate) fn arg(mut self, arg: impl AsRef<Path>) -> Self {
        self.command.arg(arg.as_ref());
        self
    }

    /// A variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What the command reads from stdin.
    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    /// Runs to the end.
    pub(crate) fn output(mut self) -> Output {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        // A command that does not read its stdin may be gone already.
        let _ = child.stdin.take().unwrap().write_all(&self.stdin);
        let output = child.wait_with_output().unwrap();
        Output {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs to a good end without a word on stderr; gives stdout.
    pub(crate) fn succeeds(self) -> String {
        let output = self.output();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        output.stdout
    }

    /// Runs to a bad end without a word on stdout; gives the exit code and stderr.
    pub(crate) fn fails(self) -> (i32, String) {
        let output = self.output();
        assert!(output.code != 0 && output.stdout.is_empty(), "{output:?}");
        (output.code, output.stderr)
    }

    /// Runs as a server, on a free port, until the test ends it.
    pub(crate) fn serve(mut self) -> Served {
        self.command.args(["--listen", "127.0.0.1:0"]);
        self.serve_as_told()
    }

    /// Runs as a server on a free port, with a stderr that nobody reads.
    pub(crate) fn serve_unheard(mut self) -> Served {
        self.command.args(["--listen", "127.0.0.1:0"]);
        Served::unheard(self.spawn())
    }

    /// Runs as a server, with the arguments as they are.
    pub(crate) fn serve_as_told(self) -> Served {
        Served::new(self.spawn())
    }

    fn spawn(mut self) -> Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().unwrap()
    }
}
