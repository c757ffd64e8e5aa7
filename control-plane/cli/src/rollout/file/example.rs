//! The example of `rollout.yaml`: every key, with what it is for.

/// What is known of who asks for an example, to stand in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The organization's id.
    pub(crate) organization: Option<String>,
    /// The account of the session.
    pub(crate) account: Option<String>,
    /// The session's region.
    pub(crate) region: Option<String>,
    /// The role or user of the session, where it may become the hub.
    pub(crate) operator: Option<String>,
    /// The account is not the organization's management account.
    pub(crate) delegated: bool,
}

const TEXT: &str = include_str!("example.yaml");

/// The example, with what is known in the place of its own values.
pub(crate) fn text(known: &Known) -> String {
    let mut text = TEXT.to_owned();
    if let Some(id) = &known.organization {
        text = text.replace("# organization: o-exampleorgid", &format!("organization: {id}"));
        text = text.replace("# external-id: o-exampleorgid", &format!("external-id: {id}"));
    }
    if let Some(account) = &known.account {
        text = text.replace("account: \"123456789012\"", &format!("account: \"{account}\""));
    }
    if let Some(region) = &known.region {
        text = text.replace("region: us-east-1", &format!("region: {region}"));
        text = text.replace("regions: [us-east-1, eu-west-1]", &format!("regions: [{region}]"));
    }
    if known.delegated {
        text = text.replace("# call-as: self", "call-as: delegated-administrator");
    }
    if let Some(operator) = &known.operator {
        text = text.replace("    OperatorArns: []", &format!("    OperatorArns: [\"{operator}\"]"));
    }
    text
}
