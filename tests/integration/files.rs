//! Which files are read as fixtures, and what is said of those that cannot be.

use std::fs;
use std::path::Path;

use llmirage::files;
use llmirage::plan::set::Source;

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// What reading gives, with the folder's own path left out.
fn outcome(folder: &Path, names: &[&str]) -> Result<Vec<String>, Vec<String>> {
    let short = |text: String| text.replace(&folder.display().to_string(), "");
    let paths: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
    match files::read(&paths) {
        Ok(sources) => Ok(sources
            .into_iter()
            .map(|source| match source {
                Source::File { path, .. } => short(path.display().to_string()),
                other => panic!("{other:?}"),
            })
            .collect()),
        Err(errors) => Err(errors.iter().map(|error| short(error.to_string())).collect()),
    }
}

#[test]
fn folders_are_walked_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.json", "a/2.json", "a/1.json", "a/notes.txt", ".git/x.json", "c/.x.json"] {
        write(folder.path(), name, "{}");
    }
    let expected = ["/a/1.json", "/a/2.json", "/b.json"].map(str::to_owned).to_vec();
    assert_eq!(
        outcome(folder.path(), &[""]).map(|mut names| {
            names.iter_mut().for_each(|name| *name = name.replace("//", "/"));
            names
        }),
        Ok(expected)
    );
}

#[test]
fn files_are_read_in_the_order_given_whatever_they_are_called() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "b.json", "{}");
    write(folder.path(), "a.txt", "{}");
    let expected = ["/b.json", "/a.txt"].map(str::to_owned).to_vec();
    assert_eq!(outcome(folder.path(), &["b.json", "a.txt"]), Ok(expected));
}

#[test]
fn every_path_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "empty/readme.md", "");
    write(folder.path(), "latin.json", b"{\"a\": \"\xe4\"}");
    let expected = [
        "/none.json: cannot be read: No such file or directory (os error 2)",
        "/empty: no *.json file in this folder",
        "/latin.json: not UTF-8 from byte 7 on: save it as UTF-8",
    ];
    let found = outcome(folder.path(), &["none.json", "empty", "latin.json"]);
    assert_eq!(found, Err(expected.map(str::to_owned).to_vec()));
}

#[test]
fn a_file_of_more_than_64_mib_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("big.json")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    assert_eq!(outcome(folder.path(), &["big.json"]), Err(vec!["/big.json: larger than 64 MiB".to_owned()]),);
}
