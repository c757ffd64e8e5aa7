//! Where it listens, by which names it is called, who may sign in, and who may change something.

use spothub_dashboard::{Access, Hosts, Refused, Role, may_listen, same_origin};

const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000001";

fn hosts(listen: &str, names: &[&str], access: bool) -> Result<Hosts, Refused> {
    let access = access.then(|| Access::parse(&format!("ann operator {DIGEST}")).unwrap());
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    may_listen(listen.parse().unwrap(), &names, access.as_ref())
}

#[test]
fn beyond_loopback_nobody_looks_without_signing_in() {
    for (listen, names, access, told) in [
        ("127.0.0.1:8417", &[][..], false, None),
        ("[::1]:8417", &[], false, None),
        ("127.0.0.1:8417", &[], true, None),
        ("127.0.0.1:8417", &["d.example"], true, None),
        ("0.0.0.0:8417", &["d.example"], true, None),
        ("0.0.0.0:8417", &[], false, Some(Refused::NobodySignsIn)),
        ("10.0.0.7:8417", &["d.example"], false, Some(Refused::NobodySignsIn)),
        ("[::]:8417", &["d.example"], false, Some(Refused::NobodySignsIn)),
        // A name means that something passes requests on from elsewhere.
        ("127.0.0.1:8417", &["d.example"], false, Some(Refused::NobodySignsIn)),
        ("0.0.0.0:8417", &[], true, Some(Refused::NoName)),
        ("127.0.0.1:8417", &["https://d.example"], true, Some(Refused::BadName("https://d.example".to_owned()))),
        ("127.0.0.1:8417", &["*"], true, Some(Refused::BadName("*".to_owned()))),
    ] {
        assert_eq!(hosts(listen, names, access).err(), told, "{listen} {names:?} {access}");
    }
}

#[test]
fn a_page_is_called_by_its_own_names() {
    let near = hosts("127.0.0.1:8417", &[], false).unwrap();
    let proxied = hosts("127.0.0.1:8417", &["d.example"], true).unwrap();
    let far = hosts("0.0.0.0:8417", &["d.example"], true).unwrap();
    for (host, by_near, by_proxied, by_far) in [
        ("127.0.0.1:8417", true, true, false),
        ("localhost:9000", true, true, false),
        ("LOCALHOST", true, true, false),
        ("[::1]:8417", true, true, false),
        ("d.example", false, true, true),
        ("D.Example:443", false, true, true),
        ("evil.example", false, false, false),
        ("d.example.evil.example", false, false, false),
        ("127.0.0.1.evil.example", false, false, false),
        ("localhost.evil.example:8417", false, false, false),
        ("10.0.0.7:8417", false, false, false),
        ("d.example:x", false, false, false),
        ("d.example:443:443", false, false, false),
        ("[::1]evil", false, false, false),
        ("[", false, false, false),
        ("", false, false, false),
    ] {
        assert_eq!(
            (near.admits(host), proxied.admits(host), far.admits(host)),
            (by_near, by_proxied, by_far),
            "{host}"
        );
    }
}

#[test]
fn only_a_page_of_ours_changes_something() {
    for (host, origin, site, good) in [
        ("127.0.0.1:8417", Some("http://127.0.0.1:8417"), Some("same-origin"), true),
        ("127.0.0.1:8417", Some("http://127.0.0.1:8417"), None, true),
        ("d.example", Some("https://d.example"), None, true),
        ("d.example", Some("http://d.example"), None, false),
        ("127.0.0.1:8417", None, None, false),
        ("127.0.0.1:8417", Some("null"), None, false),
        ("127.0.0.1:8417", Some("http://127.0.0.1:9000"), None, false),
        ("127.0.0.1:8417", Some("http://localhost:8417"), None, false),
        ("d.example", Some("https://evil.example"), None, false),
        ("d.example", Some("https://d.example.evil.example"), None, false),
        ("d.example", Some("https://d.example"), Some("cross-site"), false),
        ("d.example", Some("https://d.example"), Some("same-site"), false),
        ("d.example", Some("file://d.example"), None, false),
    ] {
        assert_eq!(same_origin(host, origin, site), good, "{host} {origin:?} {site:?}");
    }
}

#[test]
fn an_access_file_says_who_may_do_what() {
    let two = DIGEST.replace('1', "2");
    for (line, told) in [
        (format!("ann operator {DIGEST}"), None),
        (format!("ann org-viewer {DIGEST} # looks"), None),
        (format!("ann account-viewer {DIGEST} 000000000001,000000000002"), None),
        (format!("ann account-viewer {DIGEST}"), Some("name the accounts")),
        (format!("ann operator {DIGEST} 000000000001"), Some("takes no accounts")),
        (format!("ann account-viewer {DIGEST} 1"), Some("no account")),
        (format!("ann root {DIGEST}"), Some("no role")),
        (format!("a<b operator {DIGEST}"), Some("no name")),
        ("ann operator secret".to_owned(), Some("64 hexadecimal digits")),
        ("ann operator".to_owned(), Some("write NAME ROLE SHA256")),
        (format!("ann operator {DIGEST}\nbob operator {DIGEST}"), Some("somebody else's")),
        (format!("ann operator {DIGEST}\nann operator {two}"), Some("twice")),
        (format!("ann account-viewer {DIGEST} 000000000001 x"), Some("one too many")),
        ("# nobody".to_owned(), Some("nobody is listed")),
    ] {
        let found = Access::parse(&line).err().map(|mistakes| mistakes.join("; "));
        match told {
            None => assert_eq!(found, None, "{line}"),
            Some(told) => assert!(found.as_ref().is_some_and(|found| found.contains(told)), "{line}: {found:?}"),
        }
    }
}

#[test]
fn a_token_is_as_long_as_it_must_be() {
    use sha2::{Digest, Sha256};
    for (token, good) in [("t".repeat(31), false), ("t".repeat(32), true), ("t".repeat(257), false)] {
        let digest: String = Sha256::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect();
        let access = Access::parse(&format!("ann operator {digest}")).unwrap();
        assert_eq!(access.who(&token).map(|one| one.role.clone()), good.then_some(Role::Operator), "{}", token.len());
    }
}
