//! `--watch`: tells when fixture files may have changed, once per burst of changes.
//!
//! Folders are watched, not files: an editor that saves by renaming puts a new file in the old one's
//! place, and a watch on the old file would see nothing more. What really changed is decided by
//! whoever loads the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc as tokio_mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::failure::Failure;

/// Watches until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    /// Dropping it ends the events, and with them the thread that gathers bursts.
    watcher: RecommendedWatcher,
    paths: Vec<PathBuf>,
    /// The folders of transcripts that are not below a path given.
    followed: BTreeSet<PathBuf>,
    /// Wakes whoever waits for changes.
    told: tokio_mpsc::Sender<()>,
    bursts: tokio_mpsc::Receiver<()>,
}

impl Watch {
    /// Watches files and folders. Changes from now on count.
    pub(super) fn start(paths: &[PathBuf]) -> Result<Self, Failure> {
        let failure =
            |source: notify::Error| Failure::System { task: "watch the fixtures", source: source.into() };
        let (events, changes) = channel();
        let mut watcher =
            notify::recommended_watcher(move |event| forward(event, &events)).map_err(failure)?;
        for (folder, mode) in folders(paths) {
            watcher.watch(&folder, mode).map_err(failure)?;
        }
        let (told, bursts) = tokio_mpsc::channel(1);
        let gatherer = thread::Builder::new().name("watch".to_owned());
        let wake = told.clone();
        let gatherer = gatherer.spawn(move || gather(&changes, &told));
        match gatherer {
            Ok(_) => {
                let (paths, followed) = (paths.to_owned(), BTreeSet::new());
                Ok(Self { watcher, paths, followed, told: wake, bursts })
            }
            Err(source) => Err(Failure::System { task: "start a thread", source: source.into() }),
        }
    }

    /// Watches the transcripts that the files name, too. They were read before anybody watched them, so new
    /// ones count as changed.
    pub(super) fn follow(&mut self, transcripts: &[PathBuf]) {
        let folders = outside(&self.paths, transcripts);
        let is_new = !folders.is_subset(&self.followed);
        self.followed = folders;
        self.watch_followed();
        if is_new {
            // Where a burst waits to be seen already, it stands for this one, too.
            let _ = self.told.try_send(());
        }
    }

    fn watch_followed(&mut self) {
        for folder in &self.followed {
            // One that is gone now is told of when the transcript in it is looked for.
            let _ = self.watcher.watch(folder, RecursiveMode::NonRecursive);
        }
    }

    /// Waits for the end of the next burst of changes.
    pub(super) async fn changed(&mut self) {
        if self.bursts.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        // A folder that was removed and made again is another one.
        for (folder, mode) in folders(&self.paths) {
            // One that is gone now makes an event in its parent when it comes back.
            let _ = self.watcher.watch(&folder, mode);
        }
        self.watch_followed();
    }
}

/// The folders to watch: those given with all below them, and those that hold what is given, to see it
/// go and come back.
fn folders(paths: &[PathBuf]) -> BTreeMap<PathBuf, RecursiveMode> {
    let mut folders = BTreeMap::new();
    for path in paths {
        if path.is_dir() {
            folders.insert(path.clone(), RecursiveMode::Recursive);
        }
        let parent = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => continue,
        };
        folders.entry(parent.to_owned()).or_insert(RecursiveMode::NonRecursive);
    }
    folders
}

/// The folders that hold transcripts, or are the nearest to where they should be, without those that are watched
/// with all below them.
fn outside(paths: &[PathBuf], transcripts: &[PathBuf]) -> BTreeSet<PathBuf> {
    let given: Vec<&PathBuf> = paths.iter().filter(|path| path.is_dir()).collect();
    let mut folders = BTreeSet::new();
    for transcript in transcripts {
        let up = transcript.components().any(|part| part == Component::ParentDir);
        if !up && given.iter().any(|folder| transcript.starts_with(folder)) {
            continue;
        }
        let above = transcript.ancestors().skip(1);
        let above = above.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        folders.extend(above.filter(|folder| folder.is_dir()).map(Path::to_owned).next());
    }
    folders
}

/// Passes on what may change a file's content. Reading the fixtures makes events, too: without this,
/// every load would cause the next.
fn forward(event: notify::Result<Event>, events: &Sender<()>) {
    let reading = match event {
        Ok(event) => match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => true,
            _ => false,
        },
        // An overflowing queue means that anything may have changed.
        Err(_) => false,
    };
    if !reading {
        // The gatherer is gone only when the server is.
        let _ = events.send(());
    }
}

/// Turns changes into bursts: a burst ends when nothing came for [`QUIET`], or after [`MOST`] changes.
fn gather(changes: &Receiver<()>, told: &tokio_mpsc::Sender<()>) {
    while changes.recv().is_ok() {
        for _ in 0..MOST {
            match changes.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        // Where a burst waits to be seen already, it stands for this one, too.
        if matches!(told.try_send(()), Err(TrySendError::Closed(()))) {
            return;
        }
    }
}

/// How long files must rest: editors and formatters write in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// A folder that never rests is loaded nonetheless.
const MOST: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_watched_through_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        let expected = |path: &Path, mode| BTreeMap::from([(path.to_owned(), mode)]);

        assert_eq!(
            folders(std::slice::from_ref(&file)),
            expected(folder.path(), RecursiveMode::NonRecursive)
        );
        assert_eq!(folders(&["a.json".into()]), expected(Path::new("."), RecursiveMode::NonRecursive));
        let both = folders(&[file, folder.path().to_owned()]);
        assert_eq!(both[folder.path()], RecursiveMode::Recursive);
        assert_eq!(both[folder.path().parent().unwrap()], RecursiveMode::NonRecursive);
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn transcripts_elsewhere_are_watched_through_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["fixtures", "elsewhere"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        let transcripts = [
            path("fixtures/transcripts/a.json"),
            path("elsewhere/b.json"),
            path("elsewhere/gone/c.json"),
            path("fixtures/../d.json"),
        ];
        let expected = BTreeSet::from([path("elsewhere"), path("fixtures/..")]);
        assert_eq!(outside(&[path("fixtures")], &transcripts), expected);
        assert_eq!(outside(&[path("f.json")], &["t.json".into()]), BTreeSet::from([PathBuf::from(".")]));
    }

    #[test]
    fn many_changes_are_one_burst() {
        let (events, changes) = channel();
        let (told, mut bursts) = tokio_mpsc::channel(1);
        for _ in 0..MOST {
            events.send(()).unwrap();
        }
        let gatherer = thread::spawn(move || gather(&changes, &told));
        assert_eq!(bursts.blocking_recv(), Some(()));
        drop(events);
        gatherer.join().unwrap();
        assert_eq!(bursts.blocking_recv(), None);
    }
}
