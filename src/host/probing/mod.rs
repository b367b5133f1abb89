//! Looks at the machine for the probes; judges nothing.
//!
//! Whatever may never answer (a dead server's file system, a name server, a bus) is
//! asked on a thread of its own, and waited for so long and no longer. A thread that
//! still waits then goes with the process.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::clock;

pub mod disk;

pub mod machine;

pub mod cert;

pub mod time;

pub mod systemd;

/// Asks all at the same time, and gives each answer that came within the time, in
/// the order of the questions.
fn ask_all<T: Send + 'static>(
    questions: Vec<impl FnOnce() -> T + Send + 'static>,
    within: Duration,
) -> Vec<Option<T>> {
    let mut answers: Vec<Option<T>> = questions.iter().map(|_| None).collect();
    let (answered, hears) = mpsc::channel();
    for (idx, question) in questions.into_iter().enumerate() {
        let answered = answered.clone();
        let asking = move || {
            // Who does not wait any more does not need to know.
            let _ = answered.send((idx, question()));
        };
        // Where no thread is to be had, there is no answer.
        let _ = std::thread::Builder::new().spawn(asking);
    }
    drop(answered);
    let until = clock::now().moment.after(within);
    loop {
        let left = until.from_now(clock::now().moment);
        match hears.recv_timeout(left) {
            Ok((idx, answer)) => answers[idx] = Some(answer),
            Err(_) => return answers,
        }
    }
}

/// What a program wrote.
struct Said {
    is_success: bool,
    stdout: String,
    /// The first line of standard error.
    complaint: String,
}

/// Runs a program to its end, which comes by force when it takes too long.
fn run(program: &str, args: &[&str], within: Duration) -> Result<Said, String> {
    let child = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("there is no {program} on this machine"),
            _ => format!("{program}: {error}"),
        })?;
    let pid = Pid::from_child(&child);
    let waiting = move || child.wait_with_output();
    let Some(output) = ask_all(vec![waiting], within).pop().flatten() else {
        // It has not been waited for: the number is still its own.
        let _ = kill_process(pid, Signal::KILL);
        let secs = within.as_secs();
        return Err(format!("{program} does not answer within {secs} s"));
    };
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said {
        is_success: output.status.success(),
        stdout: text(&output.stdout),
        complaint: text(&output.stderr)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Why a name leads nowhere.
fn not_found(error: &std::io::Error) -> String {
    let text = error.to_string();
    let why = text.strip_prefix("failed to lookup address information: ");
    format!("cannot be looked up: {}", why.unwrap_or(&text))
}
