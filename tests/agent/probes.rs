//! The built-in checks, as commands: what they write, and how they end.

use std::fs;
use std::net::{TcpListener, UdpSocket};

use jiff::ToSpan as _;
use logcrier::host::clock;

use crate::support::{Space, Tls, World, wait_for};

/// Runs a probe: its exit status, its line without measurements, and those.
fn probe(world: &World, args: &[&str]) -> (i32, String, String) {
    let mut all = vec!["probe"];
    all.extend(args);
    let output = world.run(&all);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(stderr, "", "{args:?}");
    let line = stdout.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    let (said, perf) = line.split_once(" | ").unwrap_or((line, ""));
    (
        output.status.code().unwrap(),
        said.to_owned(),
        perf.to_owned(),
    )
}

fn check(world: &World, args: &[&str], code: i32, begin: &str, perf: &str) {
    let told = probe(world, args);
    assert_eq!(told.0, code, "{args:?}: {told:?}");
    assert!(told.1.starts_with(begin), "{args:?}: {told:?}");
    assert!(told.2.starts_with(perf), "{args:?}: {told:?}");
}

fn world() -> World {
    World::with_settings("", "rules: []")
}

#[test]
fn this_machine() {
    let world = world();
    let directory = world.path("logs").display().to_string();
    // Beyond everything, and within everything.
    let (all, nothing) = (
        ["--warn", "@0:", "--crit", "@0:"],
        ["--warn", "0:", "--crit", "0:"],
    );
    for (name, begin, perf) in [
        ("load", "LOAD", "load5_per_core="),
        ("memory", "MEMORY", "used="),
        ("disk", "DISK", "'/"),
        ("inodes", "INODES", "'/"),
    ] {
        let bad = format!("{begin} CRITICAL - ");
        let mut args = vec![name];
        args.extend(all);
        check(&world, &args, 2, &bad, perf);
        let mut args = vec![name];
        args.extend(nothing);
        check(&world, &args, 0, &format!("{begin} OK - "), perf);
    }
    // Warning is not critical.
    check(
        &world,
        &["load", "--warn", "@0:", "--crit", "1e9"],
        1,
        "LOAD WARNING - ",
        "load5",
    );
    let path = format!("DISK OK - {directory} ");
    let args = ["disk", "--warn", "100%", "--crit", "100%", &directory];
    check(&world, &args, 0, &path, &format!("'{directory}'="));
    check(
        &world,
        &["disk", "/no/such/path"],
        3,
        "DISK UNKNOWN - /no/such/path cannot be asked: no such file or directory",
        "",
    );
    let exbi = ["memory", "--warn", "2000000TiB", "--crit", "1000000TiB"];
    check(&world, &exbi, 2, "MEMORY CRITICAL - ", "used=");
}

#[test]
fn systemd_or_none() {
    let world = world();
    let is_there = fs::exists("/run/systemd/system").unwrap();
    for args in [&["systemd"][..], &["systemd", "logcrier"], &["time"]] {
        let (code, said, _) = probe(&world, args);
        match is_there {
            true => assert!((0..=3).contains(&code), "{said}"),
            false => assert!(
                said.contains("UNKNOWN - systemd does not run this machine") && code == 3,
                "{said}"
            ),
        }
    }
}

/// A mistake in the arguments is no problem of the machine: status 2 would be one.
#[test]
fn mistakes_in_arguments_are_unknown() {
    let world = world();
    for (args, expected) in [
        (
            &["disk", "--warn", "95%", "--crit", "90%"][..],
            "error: whatever is beyond `--warn 95%`",
        ),
        (
            &["disk", "--warn", "95%"],
            "nothing would ever be a warning",
        ),
        (&["disk", "--warn", "110%"], "percent are from 0 to 100"),
        (&["disk", "--warn", "20GB"], "sizes end in `KiB`"),
        (
            &["disk", "--timeout", "0s"],
            "nothing answers in less than 1s",
        ),
        (&["disk", "--wran", "80%"], "unexpected argument '--wran'"),
        (&["inodes", "--crit", "5GiB"], "`5GiB` is no number"),
        (
            &["memory", "--warn", "1GiB", "--crit", "2GiB"],
            "whatever is beyond `--warn 1.0GiB`",
        ),
        (
            &["load", "--warn", "5", "--crit", "4"],
            "whatever is beyond `--warn 5`",
        ),
        (&["cert"], "required arguments were not provided"),
        (
            &["cert", "--warn", "1d", "a"],
            "whatever is beyond `--warn 1d`",
        ),
        (&["cert", "https://a/"], "write it without the scheme: `a`"),
        (
            &["cert", "--ca-file", "/no/such.pem", "a"],
            "error: /no/such.pem does not exist",
        ),
        (&["time", "--warn", "1s"], "--server <HOST>"),
        (
            &["time", "--server", "a", "--crit", "1ms"],
            "whatever is beyond `--warn 500ms`",
        ),
        (&["systemd", "a", "--exclude", "b"], "cannot be used with"),
        (&["tape"], "unrecognized subcommand 'tape'"),
        (&[], "Usage: logcrier probe <COMMAND>"),
    ] {
        let mut all = vec!["probe"];
        all.extend(args);
        let output = world.run(&all);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(3), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    for name in [
        "disk", "inodes", "memory", "load", "cert", "time", "systemd",
    ] {
        let output = world.run(&["probe", name, "--help"]);
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(
            help.contains("Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown"),
            "{help}"
        );
        assert_eq!(output.status.code(), Some(0));
    }
}

/// A certificate of one's own that ends on that day.
fn pem_until(day: jiff::civil::Date) -> String {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let [month, date] = [day.month(), day.day()].map(|n| u8::try_from(n).unwrap());
    (params.distinguished_name).push(rcgen::DnType::CommonName, "a stranger");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(day.year().into(), month, date);
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem()
}

#[test]
fn certificates_in_files() {
    let world = world();
    let today = jiff::Timestamp::from_microsecond(clock::now().wall.0)
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let path = world.path("a.pem").display().to_string();
    let begin = |status: &str, what: &str| format!("CERT {status} - {path} {what}");
    for (days, code, expected) in [
        (&[60, 100][..], 0, begin("OK", "valid for ")),
        (&[60, 10], 1, begin("WARNING", "expires in ")),
        (&[3], 2, begin("CRITICAL", "expires in ")),
        (&[-3, 60], 2, begin("CRITICAL", "expired ")),
    ] {
        let pem = days.iter().map(|days| pem_until(today + days.days()));
        fs::write(&path, pem.collect::<String>()).unwrap();
        check(
            &world,
            &["cert", &path],
            code,
            &expected,
            &format!("'{path}'="),
        );
    }
    fs::write(&path, "").unwrap();
    let nothing = begin("UNKNOWN", "holds no certificate in PEM form");
    check(&world, &["cert", &path], 3, &nothing, "");
    // One that is wrong does not hide another.
    let (code, said, _) = probe(&world, &["cert", &path, "/no/such.pem"]);
    assert!(
        code == 3 && said.ends_with("/no/such.pem does not exist"),
        "{said}"
    );
}

#[test]
fn certificates_of_servers() {
    let space = Space::new();
    let tls = Tls::before(&space);
    let world = world();
    world.write("ca.pem", &tls.authority);
    let (name, address) = (
        format!("localhost:{}", tls.port),
        format!("127.0.0.1:{}", tls.port),
    );
    let trusted = format!("CERT OK - {name} valid for ");
    check(
        &world,
        &["cert", &name, "--ca-file", "ca.pem"],
        0,
        &trusted,
        &format!("'{name}'="),
    );
    let other = format!("CERT CRITICAL - {address} is for `localhost`, not for `127.0.0.1` (");
    check(
        &world,
        &["cert", &address, "--ca-file", "ca.pem"],
        2,
        &other,
        "",
    );
    let named = [
        "cert",
        &address,
        "--ca-file",
        "ca.pem",
        "--name",
        "localhost",
    ];
    check(&world, &named, 0, &format!("CERT OK - {address} "), "");
    let mut stranger = self::world();
    stranger.write("other.pem", &pem_until(jiff::civil::date(2040, 1, 1)));
    let other = stranger.path("other.pem").display().to_string();
    stranger.environment.push(("SSL_CERT_FILE", other));
    let untrusted = format!("CERT CRITICAL - {name} is signed by no authority");
    check(&stranger, &["cert", &name], 2, &untrusted, "");
    // What is no server of TLS at all.
    let plain = space.handle.addr().to_string();
    check(
        &world,
        &["cert", &plain],
        2,
        &format!("CERT CRITICAL - {plain} does not speak TLS"),
        "",
    );
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let (code, said, _) = probe(&world, &["cert", &silent, "--timeout", "1s"]);
    assert!(
        code == 2 && said.starts_with(&format!("CERT CRITICAL - {silent} ")),
        "{said}"
    );
}

/// A time server whose clock is ahead of ours; every second answer comes from nowhere.
fn time_server(ahead_nanos: i128, header: [u8; 2]) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut question = [0; 100];
        while let Ok((48, from)) = socket.recv_from(&mut question) {
            let now = i128::from(clock::now().wall.0) * 1_000 + ahead_nanos;
            let secs = u64::try_from(now / 1_000_000_000).unwrap() + 2_208_988_800;
            let parts = u64::try_from(((now % 1_000_000_000) << 32) / 1_000_000_000).unwrap();
            let stamp = ((secs << 32) | parts).to_be_bytes();
            let mut answer = [0; 48];
            answer[..2].copy_from_slice(&header);
            answer[32..40].copy_from_slice(&stamp);
            answer[40..].copy_from_slice(&stamp);
            // Not the mark of the question: nobody believes it.
            socket.send_to(&answer, from).unwrap();
            answer[24..32].copy_from_slice(&question[40..48]);
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

#[test]
fn time_servers() {
    const SECOND: i128 = 1_000_000_000;
    let world = world();
    for (ahead, header, code, expected) in [
        (0, [0x24, 2], 0, "TIME OK - "),
        (2 * SECOND, [0x24, 1], 1, "TIME WARNING - 2.0 s behind "),
        (
            -3_600 * SECOND,
            [0x24, 15],
            2,
            "TIME CRITICAL - 3600 s ahead of ",
        ),
    ] {
        let server = time_server(ahead, header);
        check(
            &world,
            &["time", "--server", &server],
            code,
            expected,
            "offset=",
        );
    }
    let lost = time_server(0, [0xe4, 2]);
    let expected = format!("TIME CRITICAL - {lost} does not know the time itself");
    check(&world, &["time", "--server", &lost], 2, &expected, "");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let expected = format!("TIME CRITICAL - {silent} does not answer within 1 s");
    check(
        &world,
        &["time", "--server", &silent, "--timeout", "1s"],
        2,
        &expected,
        "",
    );
}

/// A pack can call its own program, wherever that lies.
#[test]
fn rules_find_the_program() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "rules:
  - key: load
    command: [logcrier, probe, load, --warn, '@0:', --crit, '@0:']
    every: 1s
    status: nagios
    text: 'per core: {{ perf.load5_per_core }}'
",
    );
    world.start();
    let text = wait_for("word of the load", || {
        space.messages().first().map(|message| message.text.clone())
    });
    assert!(
        text.contains("*critical*") && text.contains("LOAD - "),
        "{text}"
    );
    assert!(
        text.contains("per core: ") && !text.contains("per core: \n"),
        "{text}"
    );
    assert!(world.stop().success());
    space.assert_clean();
}
