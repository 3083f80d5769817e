//! Tests of tables that are unusual or wrong.

use super::*;
use crate::commit;

const HEADER: &str = "id,name,age,gender,latitude,longitude,photos";

/// Reads each row as `id: photos` or as `line: reason`.
fn read(content: &[u8]) -> anyhow::Result<Vec<String>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("profiles.csv");
    commit::write_bytes(&path, content)?;
    let mut profiles = Profiles::open(&path)?;
    let mut rows = Vec::new();
    while let Some(row) = profiles.next_row()? {
        rows.push(match row {
            Ok(p) => format!("{}: {}", p.id, p.photos.join("|")),
            Err(r) => format!("line {}: {}", r.line, r.detail),
        });
    }
    assert_eq!(Profiles::count(&path)?, rows.len() as u64);
    Ok(rows)
}

fn check(rows: &str, expected: &[&str]) {
    assert_eq!(read(format!("{HEADER}\n{rows}").as_bytes()).unwrap(), expected, "{rows}");
}

#[test]
fn unusual_but_valid_tables_are_read() {
    let two = ["1: a.jpg", "2: b.jpg|c.jpg"];
    let plain = format!("{HEADER}\n1,A,30,f,1,2,a.jpg\n2,B,31,m,,,b.jpg;c.jpg\n");
    for table in [
        plain.clone(),
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        plain.trim_end().to_owned(),
        plain.replace('\n', "\n\n"),
        plain.replace('\n', "\r\n\r\n"),
        plain.replace("b.jpg;c.jpg", "\" b.jpg ;; c.jpg;\""),
        plain.replace(",A,", ",\"A\nA, \"\"A\"\"\","),
        "photos,more,id,longitude,latitude,gender,age,name\na.jpg,x,1,,,,,\nb.jpg;c.jpg,,2,,,,,".to_owned(),
    ] {
        assert_eq!(read(table.as_bytes()).unwrap(), two, "{table:?}");
    }
    assert!(read(HEADER.as_bytes()).unwrap().is_empty());
}

#[test]
fn a_nul_anywhere_rejects_the_row() {
    check(
        "1\0,A,,,,,a.jpg\n2,B\0,,,,,b.jpg\n3,C,,,,,c\0.jpg\n4,D,,,,,d.jpg",
        &[
            "line 2: id contains a NUL: \"1\\0\"",
            "line 3: name contains a NUL: \"B\\0\"",
            "line 4: photos contains a NUL: \"c\\0.jpg\"",
            "4: d.jpg",
        ],
    );
}

#[test]
fn every_cell_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profiles.csv");
    commit::write_bytes(
        &path,
        format!("{HEADER}\r\n 7 ,\"O'B, \"\"X\"\"\",30,f,-1.5,179.25,\r\n").as_bytes(),
    )
    .unwrap();
    let row = Profiles::open(&path).unwrap().next_row().unwrap().unwrap().unwrap();
    let expected = Profile {
        id: "7".into(),
        name: "O'B, \"X\"".into(),
        age: Some(30),
        gender: Some("f".into()),
        location: Location::new(-1.5, 179.25),
        photos: vec![],
    };
    assert_eq!(row, expected);
}

#[test]
fn a_wrong_row_is_rejected_and_the_others_are_read() {
    let good = "9,,,,,,z.jpg";
    let many = vec!["x"; MAX_PHOTOS + 1].join(";");
    let long = "x".repeat(MAX_CELL_BYTES + 1);
    let table: [(&str, &str); 12] = [
        ("1,A,30,f,1,2", "6 cells, expected 7"),
        ("1,A,30,f,1,2,a,b", "8 cells, expected 7"),
        (" ,A,30,f,1,2,a", "no id"),
        ("1,A,thirty,f,1,2,a", "age is \"thirty\", expected a whole number up to 150"),
        ("1,A,-1,f,1,2,a", "age is \"-1\", expected a whole number up to 150"),
        ("1,A,151,f,1,2,a", "age is \"151\", expected a whole number up to 150"),
        ("1,A,30,f,91,2,a", "latitude and longitude are \"91\" and \"2\", expected degrees"),
        ("1,A,30,f,1,,a", "latitude and longitude are \"1\" and \"\", expected degrees"),
        ("1,A,30,f,NaN,2,a", "latitude and longitude are \"NaN\" and \"2\", expected degrees"),
        (&format!("1,A,30,f,1,2,{many}"), "101 photos, more than 100"),
        (&format!("1,{long},30,f,1,2,a"), "name has 65537 bytes, more than 65536"),
        ("0,,,,,,a", "id \"0\" is already used by an earlier row"),
    ];
    for (bad, expected) in table {
        check(&format!("0,,,,,,a\n{bad}\n{good}\n"), &["0: a", &format!("line 3: {expected}"), "9: z.jpg"]);
    }
}

#[test]
fn invalid_utf8_is_named_by_its_line_and_column() {
    for end in ["\n", "\r\n"] {
        let mut table = format!("{HEADER}{end}").into_bytes();
        for i in 2..=9 {
            table.extend(format!("{i},").bytes().chain(if i == 7 { vec![0xff] } else { vec![] }));
            table.extend(format!(",,,,,{end}").bytes());
        }
        let rows = read(&table).unwrap();
        assert_eq!((rows.len(), rows[5].as_str()), (8, "line 7: invalid UTF-8 in name"));
    }
}

#[test]
fn lines_are_counted_over_quoted_newlines_blank_lines_and_a_missing_last_newline() {
    check(
        "1,\"a\n\nb\",,,,,\n\n\n2,,x,,,,\n3,\"\n\",x,,,,\n4,,x,,,,",
        &[
            "1: ",
            "line 7: age is \"x\", expected a whole number up to 150",
            "line 8: age is \"x\", expected a whole number up to 150",
            "line 10: age is \"x\", expected a whole number up to 150",
        ],
    );
}

#[test]
fn a_quote_that_is_not_closed_is_named_with_the_lines_that_it_takes() {
    check(
        "1,,,,,,\n2,\"Ann,30,f,1,2,\n3,,,,,,\n4,,,,,,\n",
        &[
            "1: ",
            "line 3: a quote is opened before \"Ann,30,f,1,2,\" and not closed: the 2 lines after it are lost",
        ],
    );
}

#[test]
fn columns_are_found_in_any_case() {
    let mut header = HEADER.to_ascii_uppercase();
    header.push_str("\n1,,,,,,\n");
    assert_eq!(read(header.as_bytes()).unwrap().len(), 1);
}

#[test]
fn a_cell_of_10_mb_is_a_rejected_row() {
    let rows = format!("1,{},,,,,\n2,,,,,,\n", "x".repeat(10 << 20));
    check(&rows, &["line 2: name has 10485760 bytes, more than 65536", "2: "]);
}

#[test]
fn files_that_are_not_a_table_are_refused() {
    let open_quote = format!("{HEADER}\n1,\"{}", "x,,,,,\n".repeat(MAX_ROW_BYTES / 4));
    for (content, expected) in [
        ("", "is empty, expected a header with the columns id,name"),
        ("id,name\n1,A\n", "has no column age, expected a header"),
        ("id,id,name,age,gender,latitude,longitude,photos\n", "has the column id twice"),
        (&HEADER.replace(',', ";"), "separated by semicolons or tabs, expected commas"),
        (&HEADER.replace(',', "\t"), "separated by semicolons or tabs, expected commas"),
        ("\u{0}i\u{0}d\u{0},", "it is UTF-16"),
        (&open_quote, "a row of more than 16 MiB; is a quote not closed?"),
    ] {
        let message = format!("{:#}", read(content.as_bytes()).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
    let dir = tempfile::tempdir().unwrap();
    let message = format!("{:#}", Profiles::open(dir.path()).unwrap_err());
    assert!(message.contains("it is not a regular file but a directory"), "{message}");
    let missing = Profiles::open(&dir.path().join("no.csv")).unwrap_err();
    assert!(missing.to_string().contains("there are no profiles at"), "{missing}");
}

#[test]
fn what_is_written_is_read_back() {
    let profile = |id: &str, photos: &[&str]| Profile {
        id: id.into(),
        name: "O'Brien, \"Pat\"".into(),
        age: Some(31),
        gender: Some("nonbinary".into()),
        location: Location::new(-12.3456, 170.0),
        photos: photos.iter().map(|&photo| photo.to_owned()).collect(),
    };
    let blank = Profile { age: None, gender: None, location: None, ..profile("2", &[]) };
    let written = [profile("1", &["a.jpg", "b/c.jpg"]), blank];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    commit::write_bytes(&path, &to_csv(&written).unwrap()).unwrap();
    let mut profiles = Profiles::open(&path).unwrap();
    for expected in written {
        assert_eq!(profiles.next_row().unwrap(), Some(Ok(expected)));
    }
    assert_eq!(profiles.next_row().unwrap(), None);
}
