//! One image as an OCI archive: layout, index, manifest, configuration, layer.

use std::{collections::BTreeMap, io};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType};

use crate::layer::{self, Files};

/// Neither root nor anybody else's number.
const USER: &str = "65532:65532";

/// What an image holds and how it starts.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Its full name with a tag, as workloads write it.
    pub reference: String,
    /// What is in it.
    pub files: Files,
    /// The program and its fixed arguments.
    pub entrypoint: Vec<String>,
    /// Environment.
    pub environment: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An image as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The digest of its manifest, by which a cluster knows it.
    pub digest: String,
    /// The archive.
    pub archive: Vec<u8>,
}

/// Why an image cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Without a tag nobody can tell two of them apart.
    #[error("`{0}` has no tag: write NAME:TAG")]
    Untagged(String),
    /// A part does not fit into a tar.
    #[error("{part} cannot be packed")]
    Pack {
        /// Which part.
        part: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Image {
    /// Writes the archive.
    ///
    /// # Errors
    /// A reference without a tag, or a path that is too long.
    pub fn write(&self) -> Result<Written, ImageError> {
        let tag = self
            .reference
            .rsplit_once(':')
            .map(|(_, tag)| tag)
            .filter(|tag| !tag.is_empty() && !tag.contains('/'))
            .ok_or_else(|| ImageError::Untagged(self.reference.clone()))?;
        let pack = |part| move |source| ImageError::Pack { part, source };
        let mut blobs = BTreeMap::new();
        let layer = blob(
            &mut blobs,
            "application/vnd.oci.image.layer.v1.tar",
            self.files.layer().map_err(pack("the layer"))?,
        );
        let environment: Vec<String> = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"User": USER, "Entrypoint": self.entrypoint, "Env": environment, "Labels": self.labels},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let config = blob(
            &mut blobs,
            "application/vnd.oci.image.config.v1+json",
            config.to_string().into_bytes(),
        );
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
        });
        let mut manifest = blob(
            &mut blobs,
            "application/vnd.oci.image.manifest.v1+json",
            manifest.to_string().into_bytes(),
        );
        let digest = manifest["digest"].as_str().unwrap_or_default().to_owned();
        // both ways in which loaders look for the name
        manifest["annotations"] = json!({"io.containerd.image.name": self.reference, "org.opencontainers.image.ref.name": tag});
        let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]});
        let archive = archive(&index, &blobs).map_err(pack("the archive"))?;
        Ok(Written { digest, archive })
    }
}

/// Takes a blob in and describes it.
fn blob(blobs: &mut BTreeMap<String, Vec<u8>>, kind: &str, content: Vec<u8>) -> Value {
    let hash: String = Sha256::digest(&content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let size = content.len();
    blobs.insert(hash.clone(), content);
    json!({"mediaType": kind, "digest": format!("sha256:{hash}"), "size": size})
}

fn archive(index: &Value, blobs: &BTreeMap<String, Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    let mut file = |path: &str, content: &[u8]| {
        layer::append(&mut tar, path, EntryType::Regular, 0o644, content)
    };
    file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    file("index.json", index.to_string().as_bytes())?;
    for (hash, content) in blobs {
        file(&format!("blobs/sha256/{hash}"), content)?;
    }
    tar.into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn image() -> Image {
        let mut files = Files::default();
        files.program("/program", b"\x7fELF".to_vec());
        Image {
            reference: "example.test/program:1".to_owned(),
            files,
            entrypoint: vec!["/program".to_owned(), "serve".to_owned()],
            environment: BTreeMap::from([("VERSION".to_owned(), "1".to_owned())]),
            labels: BTreeMap::from([(
                "org.opencontainers.image.title".to_owned(),
                "program".to_owned(),
            )]),
        }
    }

    fn read(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut tar = tar::Archive::new(archive);
        let mut files = BTreeMap::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(path, content);
        }
        files
    }

    /// Follows a descriptor; its digest and size must be what it names.
    fn follow<'a>(files: &'a BTreeMap<String, Vec<u8>>, descriptor: &Value) -> &'a [u8] {
        let digest = descriptor["digest"].as_str().unwrap();
        let hash = digest.strip_prefix("sha256:").unwrap();
        let content = &files[&format!("blobs/sha256/{hash}")];
        let found: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found, hash);
        assert_eq!(descriptor["size"], content.len());
        content
    }

    #[test]
    fn everything_the_index_leads_to_is_in_the_archive() {
        let written = image().write().unwrap();
        let files = read(&written.archive);
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let index = json(&files["index.json"]);
        let entry = &index["manifests"][0];
        assert_eq!(entry["digest"], written.digest);
        assert_eq!(
            entry["annotations"]["io.containerd.image.name"],
            "example.test/program:1"
        );
        let manifest = json(follow(&files, entry));
        let config = json(follow(&files, &manifest["config"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Entrypoint"], json!(["/program", "serve"]));
        assert_eq!(config["config"]["Env"], json!(["VERSION=1"]));
        let layer = &manifest["layers"][0];
        assert_eq!(config["rootfs"]["diff_ids"][0], layer["digest"]);
        let inside = read(follow(&files, layer));
        assert_eq!(inside["program"], b"\x7fELF");
        // index, layout and three blobs: nothing nobody refers to
        assert_eq!(files.len(), 5);
    }

    #[test]
    fn the_same_inputs_make_the_same_bytes_and_others_another_digest() {
        let written = image().write().unwrap();
        assert_eq!(written, image().write().unwrap());
        let mut other = image();
        other.files.program("/program", b"\x7fELG".to_vec());
        assert_ne!(written.digest, other.write().unwrap().digest);
    }

    #[test]
    fn a_name_without_a_tag_is_refused() {
        for reference in ["program", "host:5000/program", "program:", ""] {
            let image = Image {
                reference: reference.to_owned(),
                ..image()
            };
            let error = image.write().unwrap_err();
            assert!(
                matches!(error, ImageError::Untagged(_)),
                "{reference}: {error}"
            );
        }
    }
}
