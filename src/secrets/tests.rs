use proptest::prelude::*;

use super::*;

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(Redactor::default().redact(text), *expected, "{text}");
    }
}

/// None of these may change.
fn check_kept(texts: &[&str]) {
    for text in texts {
        assert_eq!(Redactor::default().redact(text), *text);
    }
}

#[test]
fn authorization() {
    check(&[
        (
            "Authorization: Basic dXNlcjpwYXNz",
            "Authorization: [redacted]",
        ),
        (
            "authorization: Bearer abc.def host: x",
            "authorization: [redacted] host: x",
        ),
        (
            r#"{"Authorization":"Token s3cr3t","n":1}"#,
            r#"{"Authorization":"[redacted]","n":1}"#,
        ),
        (
            "curl -H 'Authorization: Basic dXNlcjpwYXNz' https://api",
            "curl -H 'Authorization: [redacted]' https://api",
        ),
        (
            r#"Authorization: Digest username="u", response="6629fae4""#,
            "Authorization: [redacted]",
        ),
        (
            "Proxy-Authorization: Basic YWJj\r\nHost: a",
            "Proxy-Authorization: [redacted]\r\nHost: a",
        ),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/2015, Signature=5d67",
            "Authorization: [redacted]",
        ),
        ("authorization=0123456789abcdef", "authorization=[redacted]"),
        (
            r#"{\"authorization\":\"Basic eHg=\"}"#,
            r#"{\"authorization\":\"[redacted]\"}"#,
        ),
    ]);
    check_kept(&[
        "authorization: denied for bob",
        "Authorization failed: user bob",
        "authorization: none",
    ]);
}

#[test]
fn bearer() {
    check(&[
        ("sent Bearer abc.DEF-123", "sent Bearer [redacted]"),
        ("bearer 0123456789", "bearer [redacted]"),
        ("Bearer aBcDeFgH, then", "Bearer [redacted], then"),
    ]);
    check_kept(&[
        "bearer token expired",
        "the bearer of bad news",
        r#"WWW-Authenticate: Bearer realm="x", error="invalid_token""#,
    ]);
}

#[test]
fn values_of_names() {
    check(&[
        ("password=hunter2", "password=[redacted]"),
        ("password: hunter2", "password: [redacted]"),
        ("PASSWD=hunter2 user=bob", "PASSWD=[redacted] user=bob"),
        ("pwd:hunter2", "pwd:[redacted]"),
        ("db_password = hunter2", "db_password = [redacted]"),
        ("client_secret=a1b2", "client_secret=[redacted]"),
        ("clientSecret: a1b2", "clientSecret: [redacted]"),
        ("token=a1b2", "token=[redacted]"),
        ("access_token=a1b2", "access_token=[redacted]"),
        ("csrftoken=a1b2;", "csrftoken=[redacted];"),
        ("api_key=a1b2", "api_key=[redacted]"),
        ("apikey: a1b2", "apikey: [redacted]"),
        ("X-Api-Key: a1b2", "X-Api-Key: [redacted]"),
        ("access_key=a1b2", "access_key=[redacted]"),
        (
            "aws_secret_access_key = wJalr/XUtn+FEMI",
            "aws_secret_access_key = [redacted]",
        ),
        ("SECRET_KEY=a1b2", "SECRET_KEY=[redacted]"),
        ("private_key=MIIEvQ", "private_key=[redacted]"),
        (
            "mysql --password hunter2 -h db",
            "mysql --password [redacted] -h db",
        ),
        (
            "mysql --password=hunter2 -h db",
            "mysql --password=[redacted] -h db",
        ),
        (
            "<db><password>hunter2</password></db>",
            "<db><password>[redacted]</password></db>",
        ),
    ]);
}

#[test]
fn values_in_json() {
    check(&[
        (
            r#"{"user":"bob","password":"hunter2","n":1}"#,
            r#"{"user":"bob","password":"[redacted]","n":1}"#,
        ),
        (
            r#"{"password": "with \"quotes\", and more", "n": 1}"#,
            r#"{"password": "[redacted]", "n": 1}"#,
        ),
        (r#"{"token":12345678}"#, r#"{"token":[redacted]}"#),
        (
            r#"{"api_key":["one","two"],"n":1}"#,
            r#"{"api_key":[[redacted]],"n":1}"#,
        ),
        (
            r#"{"secret":{"name":"n","value":"v","token":"t0"}}"#,
            r#"{"secret":{"name":"n","value":"v","token":"[redacted]"}}"#,
        ),
        (
            r#"{"msg":"{\"password\":\"hunter2\",\"n\":1}"}"#,
            r#"{"msg":"{\"password\":\"[redacted]\",\"n\":1}"}"#,
        ),
        (
            r#"{"msg":"login with password=hunter2","n":1}"#,
            r#"{"msg":"login with password=[redacted]","n":1}"#,
        ),
        (r#"{"password":"cut he"#, r#"{"password":"[redacted]"#),
        (
            "{'password': 'hunter2', 'n': 1}",
            "{'password': '[redacted]', 'n': 1}",
        ),
        (
            r#"Parameters: {"user"=>{"password"=>"hunter2"}}"#,
            r#"Parameters: {"user"=>{"password"=>"[redacted]"}}"#,
        ),
        (r#"{"password":""}"#, r#"{"password":""}"#),
        (r#"{"password":null}"#, r#"{"password":null}"#),
        (
            r#"{"password":"ends in \\"}"#,
            r#"{"password":"[redacted]"}"#,
        ),
    ]);
}

#[test]
fn values_in_queries_and_lists() {
    check(&[
        (
            "GET /login?user=bob&password=hunter2&x=1 HTTP/1.1",
            "GET /login?user=bob&password=[redacted]&x=1 HTTP/1.1",
        ),
        (
            "POST /?user[password]=a+b",
            "POST /?user[password]=[redacted]",
        ),
        (
            "Server=db;User=sa;Password=p,w&d;Database=x",
            "Server=db;User=sa;Password=[redacted];Database=x",
        ),
        (
            "Login{user=bob, password=a,b, n=1}",
            "Login{user=bob, password=[redacted], n=1}",
        ),
        (
            "user=bob,password=hunter2,host=a",
            "user=bob,password=[redacted],host=a",
        ),
        (
            "time=1 token=\"a b c\" n=2",
            "time=1 token=\"[redacted]\" n=2",
        ),
        ("(password=hunter2)", "(password=[redacted])"),
        ("password=it's", "password=[redacted]"),
        ("password=a\tb", "password=[redacted]\tb"),
        ("password=größe€ x", "password=[redacted] x"),
    ]);
}

#[test]
fn known_shapes() {
    check(&[
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."),
        ("ASIAIOSFODNN7EXAMPLE", "[redacted]"),
        (
            "https://bob:hunter2@db.example/x",
            "https://[redacted]@db.example/x",
        ),
        ("postgres://u:p/w#1@db/x y", "postgres://[redacted]@db/x y"),
        (
            "https://token@github.com/a/b",
            "https://[redacted]@github.com/a/b",
        ),
        (
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N, next",
            "jwt [redacted], next",
        ),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi", "[redacted]"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[redacted]"),
        ("gho_16C7e42F292c", "[redacted]"),
        ("github_pat_11ABCDEFG0_abcdef", "[redacted]"),
        ("xoxb-123456-abcDEF", "[redacted]"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[redacted]"),
        ("AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "[redacted]"),
        (
            "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t%3D failed",
            "https://chat.googleapis.com/v1/spaces/A/messages?[redacted] failed",
        ),
        // One that stands between another's announcement and its secret.
        (
            "/v1/spaces/ghp_0123abcd/messages?key=k",
            "/v1/spaces/[redacted]/messages?[redacted]",
        ),
        (
            "http://127.0.0.1:80/v1/spaces/A/messages?key=k",
            "http://127.0.0.1:80/v1/spaces/A/messages?[redacted]",
        ),
    ]);
    check_kept(&[
        "AKIAIOSFODNN7EXAMPL",
        "XAKIAIOSFODNN7EXAMPLE",
        "https://db.example:8080/a@b",
        "https://db.example/mail?to=a@b.example",
        "mail from a@b.example",
        "eyJ.x",
        "ghp_",
        "see /v1/spaces/A/messages",
        "GET /item?key=42",
    ]);
}

#[test]
fn private_keys() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQ\nAb==\n";
    let whole = format!("x -----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY----- y");
    check(&[
        (
            &whole,
            "x -----BEGIN RSA PRIVATE KEY-----[redacted]-----END RSA PRIVATE KEY----- y",
        ),
        (
            r#"{"k":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"}"#,
            r#"{"k":"-----BEGIN PRIVATE KEY-----[redacted]-----END PRIVATE KEY-----\n"}"#,
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
            "-----BEGIN OPENSSH PRIVATE KEY-----[redacted]",
        ),
        (
            &format!("before\n{body}-----END PRIVATE KEY-----\nafter"),
            "before\n[redacted]-----END PRIVATE KEY-----\nafter",
        ),
    ]);
    check_kept(&[
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----",
    ]);
}

/// What people wait for must not be taken for a secret.
#[test]
fn prose_stays() {
    check_kept(&[
        "Failed password for root from 192.0.2.7 port 4022 ssh2",
        "Failed password for invalid user token from 192.0.2.7",
        "Accepted password for bob from 192.0.2.7 port 22 ssh2",
        "token expired",
        "error: invalid token: expired",
        "could not refresh token: Unauthorized",
        "Unexpected token: foo",
        "SyntaxError: Unexpected token } in JSON at position 3",
        "password: incorrect",
        "password: ",
        "Enter password:",
        "passwd: Authentication token manipulation error",
        "pam_unix(passwd:chauthtok): password changed for bob",
        "bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/ls",
        "OLDPWD=/root",
        "bob ALL=(ALL) NOPASSWD: ALL",
        "cat: /etc/passwd: Permission denied",
        "grep root /etc/passwd:root:x:0:0",
        "secret \"db\" not found",
        "PasswordAuthentication=no",
        "used tokens=512 of max_tokens=4096",
        "auth::token::Kind",
        "parser: token::Brace",
        "password=null token=none secret=******** pwd=<nil>",
        "password=[FILTERED] token=[redacted]",
        "keyboard-interactive/pam for root",
        "the access key was rotated, the api key too",
        "no secrets here, and key=value as well",
        "pwd",
        "token=",
        "password",
    ]);
}

#[test]
fn fields_are_secret_by_their_names() {
    let redactor = Redactor::default();
    for (name, value, expected) in [
        ("password", "hunter2", REDACTED),
        ("user.DB_PASSWORD", "correct horse", REDACTED),
        ("accessToken", "x1", REDACTED),
        ("x-api-key", "x1", REDACTED),
        ("password", "", ""),
        ("password", "null", "null"),
        ("tokens", "512", "512"),
        ("msg", "token=x1", "token=[redacted]"),
    ] {
        assert_eq!(redactor.redact_field(name, value), expected, "{name}");
    }
}

#[test]
fn patterns_of_people_come_on_top() {
    let own = ["(?i)ref-[a-z]+", r"(?-u:\xbf)x"].map(|text| Regex::new(text).unwrap());
    let redactor = Redactor::new(own.into());
    assert_eq!(
        redactor.redact("REF-abc and token=t1"),
        "[redacted] and token=[redacted]"
    );
    // A pattern that cuts characters in two hides them whole.
    assert_eq!(redactor.redact("a¿x b"), "a[redacted] b");
}

#[test]
fn parts_are_hidden_by_what_is_around_them() {
    let text = "user=bob password=hunter2 from=a";
    let secrets = Redactor::default().secrets_in(text);
    for (part, expected) in [
        ("hunter2", "[redacted]"),
        ("hun", "[redacted]"),
        ("bob password=hun", "bob password=[redacted]"),
        ("ter2 from", "[redacted] from"),
        ("bob", "bob"),
    ] {
        let start = text.find(part).unwrap();
        assert_eq!(secrets.hide(text, start..start + part.len()), expected);
    }
}

#[test]
fn a_line_made_to_take_up_time_is_hidden() {
    for word in ["token=", "://a", "-----END PRIVATE KEY-----\n"] {
        let line = word.repeat(4_000) + "password=hunter2";
        let shown = Redactor::default().redact(&line).into_owned();
        assert!(!shown.contains("hunter2") && shown.len() < 20_000);
    }
}

proptest! {
    #[test]
    fn any_text_is_taken(text in any::<String>(), parts in prop::collection::vec(
        prop::sample::select(vec![
            "password", "token", "=", ":", "\"", "\\", "'", "[", "]", "{", "-----BEGIN ", "-----END ",
            "PRIVATE KEY-----", "://", "@", "eyJ", ".", "ghp_", "AIza", "Authorization", "Bearer ",
            "/v1/spaces/", "/messages?", "é", "\n", " ", "a1b2c3d4", "<", ">", "--", "Basic ", "&", ",",
        ]), 0..14,
    )) {
        for text in [text, parts.concat()] {
            let secrets = Redactor::default().secrets_in(&text);
            let mut at = 0;
            for range in secrets.ranges() {
                prop_assert!(at <= range.start && range.start < range.end);
                prop_assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
                at = range.end;
            }
            prop_assert!(at <= text.len());
        }
    }

    /// Whatever the secret is made of, quoted it does not show.
    #[test]
    fn quoted_secrets_never_show(secret in "[!-~&&[^\"\\\\*x]]{6,40}", before in "[ -~]{0,20}") {
        prop_assume!(!values::is_no_secret(&secret));
        let line = format!("{{\"a\":\"{}\",\"password\":\"{secret}\",\"b\":2}}", before.replace(['"', '\\'], ""));
        let shown = Redactor::default().redact(&line).into_owned();
        prop_assert!(!shown.contains(&format!("\"{secret}\"")), "{shown}");
    }
}
