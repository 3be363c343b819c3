//! Container images as OCI archives, written without a container engine: one layer with one static program and the few files it asks of its root.
//!
//! Decides: what is in an image, as whom it runs, what its labels say. Leaves to others: how programs are built, and where archives are loaded.
//!
//! Invariant: the same inputs make the same bytes, so a digest says which programs are inside. No clock, no user, no host name, no order of a folder
//! gets in: times are zero, owners are root, entries are sorted.

pub mod archive;
pub mod layer;
pub mod product;

pub use archive::{Image, Written};
