//! The webhook's certificates: our own authority and a serving certificate, kept in a Secret, renewed long before they expire, and
//! swapped into the running server without a lost request.
//!
//! ```text
//! names + now ──> issue / rotation (pure) ──> secret (pure: Secret <-> material) ──> store (I/O: guarded by resourceVersion)
//!                                                                                        │ Published { ca_bundle }
//! reload (I/O: watches the Secret or polls files) ──> serving (pure) ──> Arc<ArcSwapOption<ServerConfig>>
//! ```
//!
//! Decides: what is issued, when it is renewed, and in which order authorities overlap. Leaves to others: who may write (the leader calls
//! [`store::ensure`]), and publishing the bundle in the webhook configurations.
//!
//! Invariants: a new authority is in the bundle for a whole overlap before a certificate of it is served, and the old one stays in it for a whole
//! overlap after; an API error is never read as absence; a Secret that is not clearly ours is never overwritten; a certificate that cannot be
//! loaded leaves the one being served in place.

pub mod inspect;
pub mod issue;
pub mod names;
pub mod reload;
pub mod rotation;
pub mod secret;
pub mod serving;
pub mod store;

pub use issue::{Bundle, issue};
pub use names::ServingNames;
pub use reload::{CertificateSource, Loaded, Reloader};
pub use rotation::{Decision, Material, Terms, decide};
pub use store::{Published, ensure};
