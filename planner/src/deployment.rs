//! The fields of a Deployment that decide.
