//! The questions to Organizations as calls of the SDK, and its answers in our words.
//!
//! Knows the SDK's types; lets no unknown value through as a good one.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types as aws;
use spothub_core::fault::Fault;
use tracing::warn;

use super::ask::{Answer, Ask, Item, Page, Row};
use super::unit::{UnitId, chain};
use crate::action::Action;
use crate::home::Home;

/// Rows of a page: the API's most, so that 5,000 accounts are 250 calls.
const PAGE_ROWS: i32 = 20;
/// AWS's own limit on an account's name; a longer one is cut.
const NAME_CHARS_MAX: usize = 128;

/// The SDK's client.
pub(super) struct Organizations {
    home: Arc<Home>,
    client: Client,
}

impl Organizations {
    pub(super) fn new(home: Arc<Home>) -> Self {
        Self { client: Client::new(home.session()), home }
    }

    async fn accounts(&self, token: Option<&str>) -> Result<Page, Fault> {
        let call = self.client.list_accounts().max_results(PAGE_ROWS).set_next_token(token.map(Into::into));
        let answer = self.home.answered(Action::ListAccounts, call.send().await)?;
        Ok(Page { items: rows(answer.accounts()), next: answer.next_token })
    }

    async fn accounts_of(&self, parent: &UnitId, token: Option<&str>) -> Result<Page, Fault> {
        let call = self.client.list_accounts_for_parent().parent_id(parent.as_str()).max_results(PAGE_ROWS);
        let answer = call.set_next_token(token.map(Into::into)).send().await;
        let answer = self.home.answered(Action::ListAccountsForParent, answer)?;
        Ok(Page { items: rows(answer.accounts()), next: answer.next_token })
    }

    async fn roots(&self, token: Option<&str>) -> Result<Page, Fault> {
        let call = self.client.list_roots().max_results(PAGE_ROWS).set_next_token(token.map(Into::into));
        let answer = self.home.answered(Action::ListRoots, call.send().await)?;
        let items = answer.roots().iter().filter_map(|root| unit(root.id(), root.name())).collect();
        Ok(Page { items, next: answer.next_token })
    }

    async fn units_of(&self, parent: &UnitId, token: Option<&str>) -> Result<Page, Fault> {
        let call = self.client.list_organizational_units_for_parent().parent_id(parent.as_str());
        let answer = call.max_results(PAGE_ROWS).set_next_token(token.map(Into::into)).send().await;
        let answer = self.home.answered(Action::ListOrganizationalUnitsForParent, answer)?;
        let items = answer.organizational_units().iter().filter_map(|ou| unit(ou.id(), ou.name())).collect();
        Ok(Page { items, next: answer.next_token })
    }

    async fn unit(&self, id: &UnitId) -> Result<Page, Fault> {
        let answer = self.client.describe_organizational_unit().organizational_unit_id(id.as_str()).send().await;
        let answer = self.home.answered(Action::DescribeOrganizationalUnit, answer)?;
        let items = answer.organizational_unit().and_then(|ou| unit(ou.id(), ou.name())).into_iter().collect();
        Ok(Page { items, next: None })
    }

    async fn tags(&self, account: &str, token: Option<&str>) -> Result<Page, Fault> {
        let call = self.client.list_tags_for_resource().resource_id(account).set_next_token(token.map(Into::into));
        let answer = self.home.answered(Action::ListTagsForResource, call.send().await)?;
        let items = answer.tags().iter().map(|tag| Item::Tag(tag.key.clone(), tag.value.clone())).collect();
        Ok(Page { items, next: answer.next_token })
    }
}

#[async_trait]
impl Answer for Organizations {
    async fn page(&self, ask: &Ask, token: Option<&str>) -> Result<Page, Fault> {
        match ask {
            Ask::Accounts => self.accounts(token).await,
            Ask::Roots => self.roots(token).await,
            Ask::UnitsOf(parent) => self.units_of(parent, token).await,
            Ask::AccountsOf(parent) => self.accounts_of(parent, token).await,
            Ask::Unit(id) => self.unit(id).await,
            Ask::Tags(account) => self.tags(&account.to_string(), token).await,
        }
    }
}

fn rows(accounts: &[aws::Account]) -> Vec<Item> {
    accounts.iter().filter_map(row).map(Item::Account).collect()
}

fn row(account: &aws::Account) -> Option<Row> {
    let text = account.id().unwrap_or_default();
    let Ok(id) = text.parse() else {
        warn!(account = %text.escape_debug(), "an account was left out: its id is none");
        return None;
    };
    let name = account.name().filter(|name| !name.is_empty()).unwrap_or(text);
    Some(Row {
        id,
        name: name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect(),
        active: is_active(account.state(), account.status()),
        chain: account.paths().iter().find_map(|path| chain(path)),
    })
}

/// `State` counts; `Status`, which AWS retires in September 2026, only where there is no state. Anything but ACTIVE is
/// not active, also a value that this program does not know.
fn is_active(state: Option<&aws::AccountState>, status: Option<&aws::AccountStatus>) -> bool {
    match (state, status) {
        (Some(state), _) => *state == aws::AccountState::Active,
        (None, Some(status)) => *status == aws::AccountStatus::Active,
        (None, None) => false,
    }
}

fn unit(id: Option<&str>, name: Option<&str>) -> Option<Item> {
    Some(Item::Unit(id?.parse().ok()?, name.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_active_is_active() {
        let cases = [
            (Some("ACTIVE"), None, true),
            (Some("ACTIVE"), Some("SUSPENDED"), true),
            (Some("SUSPENDED"), Some("ACTIVE"), false),
            (Some("PENDING_ACTIVATION"), None, false),
            (Some("PENDING_CLOSURE"), None, false),
            (Some("CLOSED"), None, false),
            (Some("ASLEEP"), Some("ACTIVE"), false),
            (None, Some("ACTIVE"), true),
            (None, Some("SUSPENDED"), false),
            (None, Some("ASLEEP"), false),
            (None, None, false),
        ];
        for (state, status, active) in cases {
            let found = is_active(state.map(Into::into).as_ref(), status.map(Into::into).as_ref());
            assert_eq!(found, active, "{state:?} {status:?}");
        }
    }

    #[test]
    fn rows_are_read_leniently() {
        let path = "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/000000000042/";
        let account = aws::Account::builder().id("000000000042").name("we\u{7}b").paths(path);
        let found = row(&account.build()).unwrap();
        assert_eq!((found.id.to_string().as_str(), found.name.as_str(), found.active), ("000000000042", "web", false));
        assert_eq!(found.chain.unwrap().len(), 2);
        let bare = row(&aws::Account::builder().id("000000000042").build()).unwrap();
        assert_eq!((bare.name.as_str(), bare.chain), ("000000000042", None));
        assert_eq!(row(&aws::Account::builder().id("42").build()), None);
    }
}
