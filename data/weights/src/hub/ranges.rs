//! The layers that make features, and nothing else of the file, by requests for ranges of it.

use std::ops::Range;

use anyhow::Context;
use data::envelope::{Header, LENGTH_BYTES};
use data::weights::{Part, TensorValues, collect};
use data::{disk, stage};

use super::Hub;
use super::parts::{Parts, merged, pieces};
use super::remote::Remote;
use crate::names::Names;

/// Fetches the header of the remote file, which must describe exactly that file.
///
/// # Errors
/// If it is no header of safetensors, or as [`Remote::read`].
pub(super) fn fetch_header(remote: &mut Remote<'_>) -> anyhow::Result<Header> {
    let mut start = Vec::new();
    remote.read(0..LENGTH_BYTES, |piece| append(&mut start, piece))?;
    let n_header = Header::length(start.as_slice().try_into()?).context("it is no safetensors file")?;
    remote.read(LENGTH_BYTES..LENGTH_BYTES + n_header, |piece| append(&mut start, piece))?;
    let header = Header::parse(&mut start.as_slice())?;
    header.check_size(remote.size()?)?;
    Ok(header)
}

fn append(bytes: &mut Vec<u8>, piece: &[u8]) -> anyhow::Result<()> {
    bytes.extend_from_slice(piece);
    Ok(())
}

/// Fetches the layers that make features; pieces that an earlier run has fetched are not asked for again.
///
/// # Errors
/// As [`Remote::read`]; or if the file lacks them, or their values cannot be used.
pub(super) fn fetch_features(hub: &Hub<'_>, remote: &mut Remote<'_>) -> anyhow::Result<Vec<TensorValues>> {
    let header = fetch_header(remote)?;
    let backbone = hub.config.backbone;
    let names = Names::in_header(&remote.url(), backbone, Part::Features, &header)?;
    let ranges = backbone.features.iter().map(|tensor| header.range(names.of(tensor)?));
    let ranges = merged(ranges.collect::<anyhow::Result<_>>()?);
    let parts = hub.parts();
    fetch_pieces(hub, remote, &parts, &ranges)?;

    let mut contents = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut content = Vec::with_capacity((range.end - range.start) as usize);
        let pieces: Vec<Range<u64>> = pieces(&range, hub.settings.piece_bytes).collect();
        parts.read_all(&pieces, |bytes| {
            content.extend_from_slice(bytes);
            Ok(())
        })?;
        contents.push((range, content));
    }
    let collected = collect(&backbone.features, |tensor| {
        let name = names.of(tensor)?;
        let tensor = header.range(name)?;
        let (range, content) = contents
            .iter()
            .find(|(range, _)| range.contains(&tensor.start))
            .with_context(|| format!("{name} was not fetched"))?;
        let within = (tensor.start - range.start) as usize..(tensor.end - range.start) as usize;
        header.floats(name, &content[within])
    });
    if collected.is_err() {
        // They would be refused the next time as well.
        parts.remove()?;
    }
    collected
}

/// Fetches the pieces of `ranges` that `parts` lacks.
fn fetch_pieces(
    hub: &Hub<'_>,
    remote: &mut Remote<'_>,
    parts: &Parts,
    ranges: &[Range<u64>],
) -> anyhow::Result<()> {
    let all: Vec<Range<u64>> = ranges.iter().flat_map(|r| pieces(r, hub.settings.piece_bytes)).collect();
    let (stored, missing): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|p| parts.load(p).is_some());
    let n_bytes = |pieces: &[Range<u64>]| pieces.iter().map(|p| p.end - p.start).sum::<u64>();
    // The pieces, and the file that is made of them.
    let needed = n_bytes(&missing) + n_bytes(&all);
    disk::ensure_space(&hub.config.out, needed, "the download of the weights")?;
    tracing::info!(
        "fetching {:.1} of {:.1} MB from {}",
        n_bytes(&missing) as f64 / 1e6,
        remote.size()? as f64 / 1e6,
        remote.url()
    );
    let bar = stage::progress_of_bytes(&hub.bar_args(), n_bytes(&all));
    bar.inc(n_bytes(&stored));
    for adjacent in missing.chunk_by(|a, b| a.end == b.start) {
        let mut pending = adjacent.iter();
        let mut buffer = Vec::new();
        let mut piece = pending.next();
        let range = adjacent[0].start..adjacent[adjacent.len() - 1].end;
        remote.read(range, |mut bytes| {
            bar.inc(bytes.len() as u64);
            while let Some(current) = piece.filter(|_| !bytes.is_empty()) {
                let n_piece = (current.end - current.start) as usize;
                let (now, later) = bytes.split_at(bytes.len().min(n_piece - buffer.len()));
                buffer.extend_from_slice(now);
                bytes = later;
                if buffer.len() == n_piece {
                    parts.store(current, &buffer)?;
                    buffer.clear();
                    piece = pending.next();
                }
            }
            Ok(())
        })?;
    }
    bar.finish_and_clear();
    Ok(())
}
