//! The directory against an organization made of lists: pages, places, pace, tags, and what a failure leaves.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Mutex as Lock;

use spothub_core::id::AccountId;

use super::ask::{Answer, Ask, Item, Page, Row};
use super::unit::{Chain, chain};
use super::*;

/// A clock that runs only where someone waits.
#[derive(Default)]
struct Stepping(Lock<i64>);

#[async_trait]
impl Clock for Stepping {
    fn now(&self) -> Timestamp {
        Timestamp(*self.0.lock().unwrap())
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut now = self.0.lock().unwrap();
        *now = until.0.max(*now);
    }
}

/// Answers by the first characters of the question; each list is cut into pages.
#[derive(Default)]
struct Fake {
    answers: BTreeMap<String, Vec<Page>>,
    asked: Lock<Vec<String>>,
    /// What the next calls answer instead.
    faults: Lock<Vec<Fault>>,
}

#[async_trait]
impl Answer for Arc<Fake> {
    async fn page(&self, ask: &Ask, token: Option<&str>) -> Result<Page, Fault> {
        let key = key(ask);
        self.asked.lock().unwrap().push(key.clone());
        if let Some(fault) = self.faults.lock().unwrap().pop() {
            return Err(fault);
        }
        let pages = self.answers.get(&key).ok_or(Fault::Gone)?;
        let at: usize = token.map_or(0, |token| token.parse().unwrap());
        Ok(pages.get(at).cloned().unwrap_or_default())
    }
}

fn key(ask: &Ask) -> String {
    match ask {
        Ask::Accounts => "accounts".to_owned(),
        Ask::Roots => "roots".to_owned(),
        Ask::UnitsOf(unit) => format!("units of {unit}"),
        Ask::AccountsOf(unit) => format!("accounts of {unit}"),
        Ask::Unit(unit) => format!("unit {unit}"),
        Ask::Tags(account) => format!("tags {account}"),
    }
}

impl Fake {
    /// Pages with tokens to the next.
    fn pages(mut self, key: &str, pages: &[&[Item]]) -> Self {
        let numbered = (1..)
            .zip(pages)
            .map(|(next, items)| Page { items: items.to_vec(), next: (next < pages.len()).then(|| next.to_string()) });
        self.answers.insert(key.to_owned(), numbered.collect());
        self
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn fail(&self, times: usize, fault: &Fault) {
        *self.faults.lock().unwrap() = vec![fault.clone(); times];
    }
}

fn id(number: u64) -> AccountId {
    AccountId::from_number(number).unwrap()
}

fn row(number: u64, active: bool, place: Option<&str>) -> Item {
    let chain: Option<Chain> = place.map(|place| chain(place).unwrap());
    Item::Account(Row { id: id(number), name: format!("account-{number}"), active, chain })
}

fn unit(text: &str, name: &str) -> Item {
    Item::Unit(text.parse().unwrap(), name.to_owned())
}

const PROD: &str = "o-1/r-ab12/ou-ab12-11111111";
const WEB: &str = "o-1/r-ab12/ou-ab12-11111111/ou-ab12-22222222";

fn with_paths() -> Fake {
    Fake::default()
        .pages(
            "accounts",
            &[&[row(2, true, Some(WEB))], &[], &[row(1, true, Some("o-1/r-ab12")), row(3, false, Some(PROD))]],
        )
        .pages("unit ou-ab12-11111111", &[&[unit("ou-ab12-11111111", "prod")]])
        .pages("unit ou-ab12-22222222", &[&[unit("ou-ab12-22222222", "web")]])
}

struct Bench {
    fake: Arc<Fake>,
    clock: Arc<Stepping>,
    directory: OrgDirectory,
}

fn bench(fake: Fake, enrolment: Enrolment) -> Bench {
    let (fake, clock) = (Arc::new(fake), Arc::new(Stepping::default()));
    let regions = BTreeSet::from(["eu-west-1".parse().unwrap()]);
    let directory = OrgDirectory::with(Box::new(Arc::clone(&fake)), clock.clone(), enrolment, regions);
    Bench { fake, clock, directory }
}

/// Runs a future that never waits for anything outside.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

impl Bench {
    fn list(&self) -> Result<Vec<String>, Fault> {
        let accounts = run(self.directory.accounts())?;
        Ok(accounts.iter().map(|a| format!("{} {} {}", a.id, a.ou, if a.active { "on" } else { "off" })).collect())
    }

    fn pass(&self, span: Span) {
        self.clock.0.lock().unwrap().add_assign(span.0);
    }
}

const ALL: [&str; 3] = ["000000000001 / on", "000000000002 /prod/web on", "000000000003 /prod off"];

#[test]
fn empty_pages_are_not_the_end_and_paths_save_the_walk() {
    let bench = bench(with_paths(), Enrolment::all());
    assert_eq!(bench.list().unwrap(), ALL);
    let units = ["unit ou-ab12-11111111", "unit ou-ab12-22222222"];
    assert_eq!(bench.fake.asked(), ["accounts", "accounts", "accounts", units[0], units[1]]);
    assert_eq!(
        bench.clock.now(),
        Timestamp(900),
        "two waits of 250 ms for the list, one of 400 ms for the second name"
    );
    assert_eq!(bench.list().unwrap(), ALL);
    assert!(bench.fake.asked().is_empty(), "kept");
    bench.pass(LIST_AGE_MAX);
    bench.list().unwrap();
    assert_eq!(bench.fake.asked().len(), 3, "names are kept longer than the list");
}

#[test]
fn without_paths_the_tree_is_walked() {
    let fake = Fake::default()
        .pages("accounts", &[&[row(1, true, None), row(2, true, None), row(3, false, None), row(4, true, None)]])
        .pages("roots", &[&[unit("r-ab12", "Root")]])
        .pages("units of r-ab12", &[&[], &[unit("ou-ab12-11111111", "prod")]])
        .pages("units of ou-ab12-11111111", &[&[unit("ou-ab12-22222222", "web")]])
        .pages("units of ou-ab12-22222222", &[&[]])
        .pages("accounts of r-ab12", &[&[row(1, true, None)]])
        .pages("accounts of ou-ab12-11111111", &[&[row(3, true, None)]])
        .pages("accounts of ou-ab12-22222222", &[&[row(2, true, None)]]);
    let bench = bench(fake, Enrolment::all());
    assert_eq!(bench.list().unwrap(), ALL, "the fourth stands nowhere and is left out");
    assert!(!bench.fake.asked().iter().any(|asked| asked.starts_with("unit ")), "the walk gave the names");
}

#[test]
fn only_the_chosen_are_enrolled_and_only_their_units_are_named() {
    let units = BTreeSet::from(["ou-ab12-22222222".parse().unwrap()]);
    let scope = Scope::Chosen { accounts: BTreeSet::new(), units };
    let bench = bench(with_paths(), Enrolment { scope, ..Enrolment::all() });
    assert_eq!(bench.list().unwrap(), [ALL[1]]);
    let scope = Scope::Chosen { accounts: [id(1)].into(), units: BTreeSet::new() };
    let bench = super::tests::bench(with_paths(), Enrolment { scope, ..Enrolment::all() });
    assert_eq!(bench.list().unwrap(), [ALL[0]]);
    assert_eq!(bench.fake.asked(), ["accounts", "accounts", "accounts"]);
}

#[test]
fn tags_are_read_of_active_accounts_only_and_kept() {
    let tag = |value: &str| Item::Tag("spot".to_owned(), value.to_owned());
    let fake = with_paths().pages("tags 000000000001", &[&[tag("no")]]).pages("tags 000000000002", &[&[tag("yes")]]);
    let bench = bench(fake, Enrolment { tag: Some(("spot".into(), "yes".into())), ..Enrolment::all() });
    assert_eq!(bench.list().unwrap(), [ALL[1]]);
    let tags = |asked: Vec<String>| asked.into_iter().filter(|a| a.starts_with("tags")).count();
    assert_eq!(tags(bench.fake.asked()), 2);
    bench.pass(Span::hours(1));
    bench.list().unwrap();
    assert_eq!(tags(bench.fake.asked()), 0);
    bench.pass(Span::hours(6));
    bench.list().unwrap();
    assert_eq!(tags(bench.fake.asked()), 2);
}

#[test]
fn a_throttled_page_is_asked_again_later() {
    let bench = bench(with_paths(), Enrolment::all());
    bench.fake.fail(2, &Fault::Throttled { after: None });
    assert_eq!(bench.list().unwrap(), ALL);
    assert!(bench.clock.now() >= Timestamp(6_000), "two and four seconds");
    assert_eq!(bench.fake.asked().iter().filter(|asked| *asked == "accounts").count(), 5);
}

#[test]
fn a_failed_reading_leaves_the_last_list_and_the_first_failure_is_told() {
    let bench = bench(with_paths(), Enrolment::all());
    bench.fake.fail(1, &Fault::Denied("organizations:ListAccounts"));
    assert_eq!(bench.list(), Err(Fault::Denied("organizations:ListAccounts")));
    assert_eq!(bench.list().unwrap(), ALL, "without a list every call tries");
    let read_at = run(bench.directory.read_at()).unwrap();
    bench.pass(LIST_AGE_MAX);
    bench.fake.fail(9, &Fault::Broken);
    bench.fake.asked();
    assert_eq!(bench.list().unwrap(), ALL);
    assert_eq!(bench.list().unwrap(), ALL);
    assert_eq!(bench.fake.asked(), ["accounts"], "not again at once");
    assert_eq!(run(bench.directory.read_at()), Some(read_at), "the age stays true");
    bench.fake.fail(0, &Fault::Broken);
    bench.pass(TRY_AGAIN);
    bench.list().unwrap();
    assert!(run(bench.directory.read_at()).unwrap() > read_at);
}

#[test]
fn wrong_lists_are_no_lists() {
    let empty = bench(Fake::default().pages("accounts", &[&[]]), Enrolment::all());
    assert_eq!(empty.list(), Err(Fault::Broken), "whoever asks is an account of the organization");
    let mut fake = with_paths();
    let same = Page { items: vec![row(1, true, Some(PROD))], next: Some("1".to_owned()) };
    fake.answers.insert("accounts".to_owned(), vec![same.clone(), same]);
    assert_eq!(bench(fake, Enrolment::all()).list(), Err(Fault::Broken), "the same token for ever");
}

#[test]
fn a_fixed_directory_is_what_it_was_given() {
    let account = Account {
        id: id(7),
        name: "lab".to_owned(),
        ou: "/".parse().unwrap(),
        tags: None,
        regions: BTreeSet::new(),
        active: true,
    };
    let directory = FixedDirectory::new(vec![account.clone()]);
    assert_eq!(run(directory.accounts()), Ok(vec![account]));
}
