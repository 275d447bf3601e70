//! Files that were cut off, altered or put together anew: each is refused with a sentence, and nothing is left.

use std::path::Path;

use tempfile::TempDir;
use xueji::store::backup::Voice;
use xueji::store::backup::folder::list;
use xueji::store::backup::restore::restore;
use xueji::store::keys::master::MasterKey;

use super::{demo, done, names, only, text};
use crate::support::keys::master;

/// A chunk with its tag, as it stands in the file.
const CHUNK: usize = (1 << 16) + 16;

/// A restore of these bytes is refused, and leaves nothing but a lock that means nothing.
async fn refused(what: &str, bytes: &[u8], master: &dyn MasterKey) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bent.xbk");
    std::fs::write(&path, bytes).unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("registry.db").display());
    let refusal =
        restore(&path, &url, master, None, Voice::Silent).await.expect_err(what).to_string();
    assert!(refusal.len() > 30 && !refusal.contains("Error("), "{what}: {refusal}");
    let left = names(folder.path());
    assert!(
        left == ["bent.xbk"] || left == ["bent.xbk", "registry.db.lock"],
        "{what} left {left:?}"
    );
    refusal
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_altered_or_exchanged_is_refused_and_leaves_nothing() {
    let (app, _) = demo().await;
    let folder = TempDir::new().unwrap();
    done(&["take", "--to", text(folder.path())], Some(&app.place().url));
    let path = only(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let head = 12 + usize::from(u16::from_be_bytes([whole[10], whole[11]]));
    let bounds: Vec<usize> =
        (0..).map(|n| head + n * CHUNK).take_while(|at| *at < whole.len()).collect();
    assert!(bounds.len() >= 3, "{} bytes are {} chunks", whole.len(), bounds.len());
    let key = master();

    let mut cuts = vec![0, 1, 7, 8, 11, 12, 13, head - 1, head + 1, whole.len() - 1];
    for bound in &bounds {
        cuts.extend([*bound, bound + 1, (bound + CHUNK / 2).min(whole.len() - 17)]);
        cuts.push(bound.saturating_sub(1));
    }
    cuts.sort_unstable();
    cuts.dedup();
    for cut in &cuts {
        refused(&format!("cut at {cut}"), &whole[..*cut], &key).await;
    }

    // Every byte of the header, and many of the chunks with their tags.
    let step = (whole.len() - head) / 40;
    let places = (0..head).chain((head..whole.len()).step_by(step)).chain([whole.len() - 1]);
    let mut altered = 0;
    for place in places {
        let mut bent = whole.clone();
        bent[place] ^= 0x20;
        refused(&format!("altered at {place}"), &bent, &key).await;
        altered += 1;
    }

    let (first, second) = (bounds[0]..bounds[1], bounds[1]..bounds[2]);
    let swapped =
        [&whole[..head], &whole[second.clone()], &whole[first.clone()], &whole[bounds[2]..]];
    let told = refused("chunks exchanged", &swapped.concat(), &key).await;
    assert!(told.contains("chunk 1 was altered, moved or cut off"), "{told}");
    let twice = [&whole[..bounds[1]], &whole[first], &whole[bounds[1]..]];
    refused("a chunk twice", &twice.concat(), &key).await;
    let without = [&whole[..bounds[1]], &whole[bounds[2]..]];
    refused("a chunk left out", &without.concat(), &key).await;
    for more in [&b"x"[..], &whole[second]] {
        refused("something follows", &[&whole, more].concat(), &key).await;
    }
    // Chunks of another backup under the same master key do not fit.
    let other = TempDir::new().unwrap();
    done(&["take", "--to", text(other.path())], Some(&app.place().url));
    let other = std::fs::read(only(other.path())).unwrap();
    let mixed = [&whole[..bounds[1]], &other[bounds[1]..]];
    refused("two backups in one", &mixed.concat(), &key).await;
    let told = refused("another header", &[&other[..head], &whole[head..]].concat(), &key).await;
    assert!(told.contains("chunk 1 "), "{told}");
    println!(
        "{} bytes in {} chunks: {} cuts and {altered} altered bytes refused",
        whole.len(),
        bounds.len(),
        cuts.len()
    );

    // And the record of a verification is nobody's to make up.
    done(&["verify", text(&path)], None);
    let record = folder.path().join(format!("{}.verified", name(&path)));
    let known = list(folder.path(), &key).await.unwrap();
    assert!(known[0].verified.is_some());
    let made = std::fs::read_to_string(&record).unwrap();
    for (from, to) in [("\"rows\": ", "\"rows\": 1"), ("\"mac\": \"", "\"mac\": \"0")] {
        std::fs::write(&record, made.replace(from, to)).unwrap();
        assert!(list(folder.path(), &key).await.unwrap()[0].verified.is_none(), "{from}");
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
