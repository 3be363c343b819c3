//! What a finding may lead to in a namespace of a given mode.

use sluice_api::{Action, Mode};

/// The action after the mode of the namespace: `enforce` leaves it, `warn` turns a denial into a warning, `audit` and `off` leave only the count.
#[must_use]
pub fn cap(action: Action, mode: Mode) -> Action {
    match mode {
        Mode::Enforce => action,
        Mode::Warn => action.min(Action::Warn),
        Mode::Audit | Mode::Off => Action::Audit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_only_ever_weakens() {
        for (action, mode, left) in [
            (Action::Deny, Mode::Enforce, Action::Deny),
            (Action::Warn, Mode::Enforce, Action::Warn),
            (Action::Deny, Mode::Warn, Action::Warn),
            (Action::Audit, Mode::Warn, Action::Audit),
            (Action::Deny, Mode::Audit, Action::Audit),
            (Action::Deny, Mode::Off, Action::Audit),
        ] {
            assert_eq!(cap(action, mode), left, "{action:?} in {mode}");
        }
    }
}
