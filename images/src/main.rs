//! `sluice-images`: packs programs that are built already. `make images` runs it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use sluice_images::{
    Image,
    layer::Files,
    product::{LARGEST, PROGRAMS},
};

/// Packs static programs as OCI archives.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The images that Sluice ships, one archive each
    Product {
        /// The folder with the static programs
        #[arg(long)]
        programs: PathBuf,
        /// Certificate authorities that probes over https trust
        #[arg(long)]
        trust: PathBuf,
        /// The folder for the archives
        #[arg(long)]
        to: PathBuf,
        /// Which version they say they are
        #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
        version: String,
    },
    /// An image of any one program
    One {
        /// Its name and tag
        #[arg(long)]
        reference: String,
        /// The static program
        #[arg(long)]
        program: PathBuf,
        /// NAME=VALUE for its environment
        #[arg(long, value_parser = variable)]
        env: Vec<(String, String)>,
        /// The archive
        #[arg(long)]
        to: PathBuf,
        /// Fixed arguments of the program
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Product {
            programs,
            trust,
            to,
            version,
        } => {
            let trust = read(&trust)?;
            for program in PROGRAMS {
                let binary = read(&programs.join(program.file))?;
                let image = program.image(&version, binary, &trust);
                let size = store(&image, &to.join(format!("{}.tar", program.name)))?;
                if size > LARGEST {
                    bail!("{} has {size} bytes, more than {LARGEST}", image.reference);
                }
            }
        }
        What::One {
            reference,
            program,
            env,
            to,
            arguments,
        } => {
            let name = program
                .file_name()
                .and_then(|name| name.to_str())
                .with_context(|| format!("{} has no usable file name", program.display()))?;
            let mut files = Files::default();
            files.program(name, read(&program)?);
            files.text("etc/nsswitch.conf", "hosts: files dns\n");
            let image = Image {
                reference,
                files,
                entrypoint: [format!("/{name}")].into_iter().chain(arguments).collect(),
                environment: env.into_iter().collect(),
                labels: BTreeMap::new(),
            };
            store(&image, &to)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes the archive and says what it is; its size.
fn store(image: &Image, to: &Path) -> anyhow::Result<usize> {
    let written = image.write()?;
    let folder = to.parent().context("an archive lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // whoever loads images while this runs finds the old archive or the new one
    let half = to.with_extension("half");
    fs::write(&half, &written.archive)
        .and_then(|()| fs::rename(&half, to))
        .with_context(|| format!("cannot write {}", to.display()))?;
    println!(
        "{}\t{}\t{:.1} MB\t{}",
        image.reference,
        written.digest,
        written.archive.len() as f64 / 1e6,
        to.display()
    );
    Ok(written.archive.len())
}
