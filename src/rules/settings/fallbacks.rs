//! Which space stands in for which.

use super::Spaces;
use crate::diagnostic::{Report, Span};
use crate::rules::SpaceName;
use crate::rules::check;

/// A `fallback` as it was written.
pub(super) struct Wish {
    pub(super) space: SpaceName,
    pub(super) fallback: SpaceName,
    /// As it may be shown.
    pub(super) shown: String,
    pub(super) at: Span,
}

/// Joins spaces with those that stand in for them. A chain that leads back to a
/// space on it is a mistake, and so is another name of the same real space: both
/// would refuse together.
pub(super) fn join(spaces: &mut Spaces, wishes: Vec<Wish>, report: &mut Report) {
    for wish in wishes {
        if !spaces.names.contains(&wish.fallback) {
            let name = wish.fallback.as_str();
            check::unknown_space(wish.at, &wish.shown, name, &spaces.names, report);
            continue;
        }
        if leads_back(spaces, &wish) {
            report.fallback_loop(wish.at, wish.space.as_str());
            continue;
        }
        if let Some(space) = spaces.good.get_mut(&wish.space) {
            space.fallback = Some(wish.fallback);
        }
    }
}

/// Whether a way that is joined already, and this one, lead to where it begins.
fn leads_back(spaces: &Spaces, wish: &Wish) -> bool {
    let real = |name: &SpaceName| (spaces.good.get(name)).map(|space| space.webhook.pacer());
    let mut at = Some(&wish.fallback);
    while let Some(name) = at {
        let is_same = real(name).is_some() && real(name) == real(&wish.space);
        if *name == wish.space || is_same {
            return true;
        }
        at = spaces
            .good
            .get(name)
            .and_then(|space| space.fallback.as_ref());
    }
    false
}
