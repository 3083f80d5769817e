//! Tests of writing and reading, and of inconsistent rows.

use super::*;

fn row(path: &str, split: Split) -> Row {
    Row {
        path: path.into(),
        class: "c".into(),
        split,
        sha256: [7; 32],
        width: 3,
        height: 2,
        crop: None,
        augmented: None,
    }
}

fn write_and_read(rows: &[Row], with_copies: bool) -> anyhow::Result<Manifest> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join(FILE_NAME);
    write(&path, rows, with_copies)?;
    Manifest::read(&path)
}

#[test]
fn unusual_names_are_read_back_unchanged() {
    let names = [
        "a,b.jpg",
        "a\"b.jpg",
        "a\nb.jpg",
        "=1+1.jpg",
        "-x.jpg",
        "\u{1F436}.jpg",
        "e\u{301}.jpg",
        "\u{e9}.jpg",
    ];
    let rows: Vec<Row> = names.iter().map(|n| row(n, Split::Train)).collect();
    assert_eq!(write_and_read(&rows, false).unwrap().rows, rows);
}

#[test]
fn copies_are_read_back_with_their_source() {
    let mut copy = row("images/a-1.jpg", Split::Train);
    copy.augmented = Some(Augmented { source: "a.jpg".into(), copy: 1 });
    let rows = [row("a.jpg", Split::Train), copy];
    assert_eq!(write_and_read(&rows, true).unwrap().rows, rows);
}

#[test]
fn boxes_are_read_back_and_the_column_exists_only_with_boxes() {
    let boxed = Row { crop: Some("0;1;3;2".parse().unwrap()), ..row("a.jpg", Split::Train) };
    let mut copy = row("images/a-1.jpg", Split::Train);
    copy.augmented = Some(Augmented { source: "a.jpg".into(), copy: 1 });
    let rows = [boxed.clone(), row("b.jpg", Split::Train), copy];
    assert_eq!(write_and_read(&rows[..2], false).unwrap().rows, rows[..2]);
    assert_eq!(write_and_read(&rows, true).unwrap().rows, rows);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    write(&path, &rows[1..2], false).unwrap();
    let without = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        without,
        format!("path,class,split,sha256,width,height\nb.jpg,c,train,{},3,2\n", "07".repeat(32))
    );
    assert_eq!(rows[1].seen_sha256(), rows[1].sha256);
    assert!(boxed.seen_sha256() != boxed.sha256);
    assert_eq!((boxed.size(), rows[1].size()), ((3, 1), (3, 2)));
}

/// Makes a copy that replaces `name`.
fn replaced(name: &str, split: Split) -> Row {
    let augmented = Some(Augmented { source: format!("{name}.jpg"), copy: IN_PLACE });
    Row { augmented, ..row(&format!("images/{name}.jpg"), split) }
}

#[test]
fn a_split_whose_pictures_are_all_replaced_is_valid() {
    let of_all = [replaced("a", Split::Train), replaced("t", Split::Test)];
    let manifest = write_and_read(&of_all, true).unwrap();
    assert!(manifest.rows == of_all && manifest.rows.iter().all(Row::replaces_original));
    let of_train = [replaced("a", Split::Train), row("t.jpg", Split::Test)];
    assert_eq!(write_and_read(&of_train, true).unwrap().rows, of_train);
}

#[test]
fn rows_that_contradict_each_other_are_refused() {
    let mut augmented_test = row("images/a-1.jpg", Split::Test);
    augmented_test.augmented = Some(Augmented { source: "a.jpg".into(), copy: 1 });
    let mut orphan = row("images/b-1.jpg", Split::Train);
    orphan.augmented = Some(Augmented { source: "b.jpg".into(), copy: 1 });
    let a = row("a.jpg", Split::Train);
    let t = row("t.jpg", Split::Test);
    for (bad, expected) in [
        (vec![replaced("a", Split::Train), a.clone()], "all replaced or none"),
        (vec![replaced("a", Split::Train), replaced("s", Split::Test), t.clone()], "all replaced or none"),
        (vec![a.clone(), replaced("t", Split::Test)], "never augmented alone"),
        (vec![a.clone(), a.clone()], "is in two rows"),
        (vec![a.clone(), augmented_test], "only train pictures are augmented"),
        (vec![a.clone(), orphan], "which is not in the manifest"),
        (vec![row("/etc/passwd", Split::Train)], "absolute"),
        (vec![Row { crop: Some("0;0;4;2".parse().unwrap()), ..a.clone() }], "is not inside the picture"),
        (
            vec![Row { crop: Some("0;0;1;1".parse().unwrap()), ..replaced("a", Split::Train) }],
            "and has a box",
        ),
    ] {
        let message = format!("{:#}", write_and_read(&bad, true).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn an_error_names_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let good = format!("a.jpg,c,train,{},3,2\n", "ab".repeat(32));
    for (bad, expected) in [
        ("b.jpg,c,dev,00,3,2\n", "manifest.csv:3: \"dev\" is not a split"),
        ("b.jpg,c,test,00,3,2\n", "manifest.csv:3: \"00\" is not a sha256"),
        ("b.jpg,c,test\n", "found record with 3 fields"),
    ] {
        let text = format!("path,class,split,sha256,width,height\n{good}{bad}");
        commit::write_bytes(&path, text.as_bytes()).unwrap();
        let message = format!("{:#}", Manifest::read(&path).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_picture_is_shown_without_detours() {
    let shown = |manifest: &str, path: &str| {
        let manifest =
            Manifest { path: manifest.into(), rows: Vec::new(), classes: Vec::new(), sha256: String::new() };
        manifest.shown(&row(path, Split::Train))
    };
    assert_eq!(shown("runs/x/split/manifest.csv", "../../../my/a/0.jpg"), "my/a/0.jpg");
    assert_eq!(shown("./runs/manifest.csv", "../raw/a/0.jpg"), "raw/a/0.jpg");
    assert_eq!(shown("manifest.csv", "../raw/a/0.jpg"), "../raw/a/0.jpg");
    assert_eq!(shown("../x/manifest.csv", "../../raw/0.jpg"), "../../raw/0.jpg");
    assert_eq!(shown("/x/manifest.csv", "a/0.jpg"), "/x/a/0.jpg");
}
