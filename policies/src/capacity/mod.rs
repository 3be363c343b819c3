//! How much a workload needs at its peak, and whether a quota can hold it.
//!
//! Decides: what one pod is charged after API defaults and LimitRanges ([`need`]), how many pods there are at the peak ([`peak`]),
//! which quotas apply and what they allow ([`quota`]). Everything is exact, in [`Quantity`]; hostile numbers saturate.
//! Leaves to others: what a breach leads to (the rule `quota-breach`). The quota plugin of the API server stays the authority; this is an early warning with the arithmetic shown.

mod claims;
mod limit_range;
mod need;
mod peak;
mod quantity;
mod quota;

pub(crate) use claims::Claim;
pub(crate) use limit_range::{Bounded, Bounds, ContainerDefaults};
pub(crate) use need::{Need, PodNeed, Unreadable};
pub(crate) use peak::{Peak, Senseless, peak, running};
pub use quantity::{Quantity, QuantityError};
pub(crate) use quota::{Charge, Quota, ScopeMatch};
