//! A number that must be there and within bounds: the shape of most job rules.

use std::ops::RangeInclusive;

use crate::{
    rule::{Case, Report},
    view::{Int, Read},
};

/// Reports the field unless it holds a number of the range; neither absence nor something else passes.
pub(super) fn require(
    case: &Case<'_>,
    report: &mut Report,
    read: Read,
    range: RangeInclusive<i64>,
    passes: impl FnOnce() -> String,
) {
    let field = case.field(read);
    if !matches!(field.int(), Int::Is(value) if range.contains(&value)) {
        report.field(case.view, read, &field, passes());
    }
}
