//! Certificates and kubeconfigs of one plane, all signed by a CA of its own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use super::users::User;

/// What the components are told on their command lines, all in one folder.
#[derive(Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// `addresses`: where API server and kubelets are found beside loopback and the Service.
    pub(crate) fn create(folder: &Path, addresses: &[&str]) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = subject("sluice-test-plane-ca", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        write(&folder.join("ca.crt"), &params.self_signed(&key)?.pem())?;
        let pki = Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
        };

        let names = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "localhost",
            "127.0.0.1",
            "10.96.0.1",
        ];
        pki.issue(
            "apiserver",
            "kube-apiserver",
            None,
            &[&names[..], addresses].concat(),
            ExtendedKeyUsagePurpose::ServerAuth,
        )?;
        pki.issue(
            "kubelet-server",
            "kubelet",
            None,
            &[&["127.0.0.1"][..], addresses].concat(),
            ExtendedKeyUsagePurpose::ServerAuth,
        )?;
        pki.issue(
            "apiserver-kubelet-client",
            "apiserver-kubelet-client",
            Some("system:masters"),
            &[],
            ExtendedKeyUsagePurpose::ClientAuth,
        )?;
        for user in User::ALL {
            pki.client(user, user.name())?;
        }
        let service_accounts = KeyPair::generate()?;
        write(
            &pki.path("service-accounts.key"),
            &service_accounts.serialize_pem(),
        )?;
        write(
            &pki.path("service-accounts.pub"),
            &service_accounts.public_key_pem(),
        )?;
        Ok(pki)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// The kubeconfig of a user, with paths instead of embedded data.
    pub(crate) fn kubeconfig(&self, user: User, server: &str) -> serde_json::Value {
        let credentials = json!({
            "client-certificate": self.path(&format!("{}.crt", user.file())),
            "client-key": self.path(&format!("{}.key", user.file())),
        });
        self.kubeconfig_with(user.file(), &credentials, server)
    }

    pub(crate) fn kubeconfig_with(
        &self,
        name: &str,
        credentials: &serde_json::Value,
        server: &str,
    ) -> serde_json::Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": {"server": server, "certificate-authority": self.path("ca.crt")}}],
            "users": [{"name": name, "user": credentials}],
            "contexts": [{"name": name, "context": {"cluster": "plane", "user": name}}],
            "current-context": name,
        })
    }

    /// A client certificate in the place of the one that `user` has by default.
    pub(crate) fn client(&self, user: User, name: &str) -> anyhow::Result<()> {
        self.issue(
            user.file(),
            name,
            user.group(),
            &[],
            ExtendedKeyUsagePurpose::ClientAuth,
        )
    }

    fn issue(
        &self,
        file: &str,
        name: &str,
        group: Option<&str>,
        alternatives: &[&str],
        usage: ExtendedKeyUsagePurpose,
    ) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(
            alternatives
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        )?;
        params.distinguished_name = subject(name, group);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        write(
            &self.path(&format!("{file}.crt")),
            &params.signed_by(&key, &self.issuer)?.pem(),
        )?;
        write(&self.path(&format!("{file}.key")), &key.serialize_pem())
    }
}

fn subject(name: &str, group: Option<&str>) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    if let Some(group) = group {
        subject.push(DnType::OrganizationName, group);
    }
    subject
}

pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}
