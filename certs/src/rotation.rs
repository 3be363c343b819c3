//! When what is renewed, and in which order. Pure: the stored material and the time in, one step out.
//!
//! An authority is replaced in four steps, each of them a state in which every client that trusts the published bundle is served a certificate
//! it accepts:
//!
//! ```text
//!                       bundle            served
//! 1 all is well         A                 leaf of A
//! 2 the next is made    A B               leaf of A     for one overlap, so that the bundle reaches every API server
//! 3 switch              B A               leaf of B     for one overlap, so that no replica serves a leaf of A any more
//! 4 the old one goes    B                 leaf of B
//! ```
//! Ages are read from the certificates themselves, so a crash between two steps loses nothing. Time alone does not lead from 2 to 3: every bundle that is
//! published must hold the next authority, or clients would be served what they do not trust. A leader that could not publish for a day waits.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    inspect::{self, Facts},
    issue::{self, IssueError, Keyed},
    names::ServingNames,
};

/// How long things live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Life of an authority.
    pub authority: Duration,
    /// Life of a serving certificate.
    pub leaf: Duration,
    /// How long two authorities overlap in the bundle before and after a switch.
    pub overlap: Duration,
}

impl Default for Terms {
    /// A year, 90 days, a day. All renewed when two thirds are over.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            authority: DAY * 365,
            leaf: DAY * 90,
            overlap: DAY,
        }
    }
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// The authority whose certificate is served.
    pub ca: Keyed,
    /// The authority that comes next, published already.
    pub next: Option<Keyed>,
    /// The certificate of the authority before, still published.
    pub previous: Option<String>,
    /// The serving certificate.
    pub leaf: Keyed,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing to do until then.
    Keep {
        /// When to ask again.
        until: Timestamp,
    },
    /// Issue a serving certificate of the same authority.
    RenewLeaf,
    /// Make the next authority and publish it beside the current one.
    PrepareCa,
    /// Serve a certificate of the next authority; the current one stays published.
    SwitchCa,
    /// Publish the previous authority no more.
    DropPrevious,
    /// Nothing stored can be saved: a new authority, at once.
    IssueAnew,
}

impl Material {
    /// A new authority with a serving certificate.
    ///
    /// # Errors
    /// See [`issue::issue`].
    pub fn issue(now: Timestamp, names: &ServingNames, terms: &Terms) -> Result<Self, IssueError> {
        let issue::Bundle { ca, leaf } = issue::issue(now, names, terms)?;
        Ok(Self {
            ca,
            next: None,
            previous: None,
            leaf,
        })
    }

    /// What clients are to trust: every published authority, one PEM after the other.
    #[must_use]
    pub fn ca_bundle(&self) -> String {
        let next = self.next.as_ref().map(|next| next.cert_pem.as_str());
        let mut bundle = String::new();
        for pem in [
            Some(self.ca.cert_pem.as_str()),
            next,
            self.previous.as_deref(),
        ]
        .into_iter()
        .flatten()
        {
            bundle.push_str(pem.trim_end());
            bundle.push('\n');
        }
        bundle
    }

    /// The material after this step.
    ///
    /// # Errors
    /// The step could not issue what it needs; nothing has changed.
    pub fn after(
        &self,
        step: Decision,
        now: Timestamp,
        names: &ServingNames,
        terms: &Terms,
    ) -> Result<Self, IssueError> {
        let mut new = self.clone();
        match step {
            Decision::Keep { .. } => {}
            Decision::RenewLeaf => new.leaf = issue::leaf(now, names, &self.ca, terms)?,
            Decision::PrepareCa => new.next = Some(issue::authority(now, terms)?),
            Decision::SwitchCa => {
                if let Some(next) = new.next.take() {
                    new.leaf = issue::leaf(now, names, &next, terms)?;
                    new.previous = Some(std::mem::replace(&mut new.ca, next).cert_pem);
                }
            }
            Decision::DropPrevious => new.previous = None,
            Decision::IssueAnew => {
                // the old authority stays published while replicas may still serve its certificate
                new = Self::issue(now, names, terms)?;
                new.previous = Some(self.ca.cert_pem.clone())
                    .filter(|pem| inspect::facts(pem).is_ok_and(|facts| facts.not_after > now));
            }
        }
        Ok(new)
    }
}

/// The next step for this material at `now`, for these names. `bundles` is what clients were told to trust, as it stands in every published configuration;
/// none when nothing is published yet, and nobody can be disappointed.
#[must_use]
pub fn decide(
    now: Timestamp,
    material: &Material,
    names: &ServingNames,
    terms: &Terms,
    bundles: &[String],
) -> Decision {
    let Ok(ca) = inspect::facts(&material.ca.cert_pem) else {
        return Decision::IssueAnew;
    };
    if now >= ca.not_after || !signs(&material.ca) {
        // nobody can be served by it: an authority that is published already is the shortest way back
        return if usable_next(now, material) {
            Decision::SwitchCa
        } else {
            Decision::IssueAnew
        };
    }
    let leaf = match inspect::facts(&material.leaf.cert_pem) {
        // the check needs a time at which both are valid; a clock behind the issuer's is no reason to issue
        Ok(leaf)
            if inspect::check(
                &material.ca.cert_pem,
                &material.leaf,
                names,
                now.max(leaf.not_before),
            )
            .is_ok() =>
        {
            leaf
        }
        _ => return Decision::RenewLeaf,
    };
    if now >= leaf.two_thirds() && leaf.not_after < ca.not_after {
        return Decision::RenewLeaf;
    }
    let mut until = leaf.two_thirds().max(now);
    match next_facts(material) {
        Some(next) => {
            let switch = later(made(&next), terms.overlap);
            if now >= switch {
                if is_published(material, bundles) {
                    return Decision::SwitchCa;
                }
                until = now;
            }
            until = until.min(switch.max(now));
        }
        None if now >= ca.two_thirds() => return Decision::PrepareCa,
        None => until = until.min(ca.two_thirds()),
    }
    if material.previous.is_some() {
        // the leaf of the current authority has been served since the switch, and its age is at most that
        let gone = later(made(&ca).max(made(&leaf)), terms.overlap);
        if now >= gone {
            return Decision::DropPrevious;
        }
        until = until.min(gone);
    }
    Decision::Keep { until }
}

/// Whether the key is the authority's, so that it can go on signing.
fn signs(ca: &Keyed) -> bool {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    inspect::certified_key(&ca.cert_pem, &ca.key_pem, &provider).is_ok()
}

fn next_facts(material: &Material) -> Option<Facts> {
    let next = material.next.as_ref()?;
    if signs(next) {
        inspect::facts(&next.cert_pem).ok()
    } else {
        None
    }
}

fn usable_next(now: Timestamp, material: &Material) -> bool {
    next_facts(material).is_some_and(|next| now < next.not_after)
}

/// Whether every published bundle holds the next authority.
fn is_published(material: &Material, bundles: &[String]) -> bool {
    let next = material
        .next
        .as_ref()
        .map_or("", |next| next.cert_pem.trim_end());
    bundles.iter().all(|bundle| bundle.contains(next))
}

/// When a certificate was made: its validity begins a little earlier.
fn made(facts: &Facts) -> Timestamp {
    later(facts.not_before, issue::BACKDATED)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
