use crate::{
    advisories::Ecosystem,
    dependencies::{
        lockfiles::{Kind, LockFileError, Packages},
        purl::purl,
    },
};

fn read(kind: Kind, text: &str) -> Packages {
    kind.read(text.as_bytes()).unwrap()
}

fn names(kind: Kind, text: &str) -> Vec<String> {
    let packages = read(kind, text).packages;
    packages.into_iter().map(|package| format!("{}@{}", package.name, package.version)).collect()
}

#[test]
fn cargo() {
    let text = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n[[package]]\n\
        name = \"serde\"\nversion = \"1.0.1\"\nsource = \"registry+https://host/index\"\n";
    let packages = read(Kind::Cargo, text).packages;
    assert_eq!(packages.len(), 1);
    assert_eq!((packages[0].name.as_str(), packages[0].line), ("serde", Some(7)));
    let first = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n\
        [metadata]\n\"checksum a\" = \"0\"\n";
    assert_eq!(names(Kind::Cargo, first), ["a@1.0.0"]);
    let newer = Kind::Cargo.read(b"version = 9").unwrap_err();
    assert_eq!(newer.to_string(), "the version 9 of its format is not known");
}

#[test]
fn package_lock_of_all_versions() {
    let first = r#"{"lockfileVersion": 1, "dependencies": {
        "a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0"}}},
        "c": {"version": "npm:real@3.0.0"}, "d": {"version": "git+https://host/d.git#1"},
        "e": {"version": "file:../e"}}}"#;
    assert_eq!(names(Kind::PackageLock, first), ["a@1.0.0", "b@2.0.0", "real@3.0.0"]);
    assert_eq!(read(Kind::PackageLock, first).unpinned, ["d"]);
    let third = r#"{"lockfileVersion": 3, "packages": {
        "": {"name": "own", "version": "1.0.0"}, "packages/part": {"version": "1.0.0"},
        "node_modules/part": {"resolved": "packages/part", "link": true},
        "node_modules/@scope/a": {"version": "1.0.0"},
        "node_modules/@scope/a/node_modules/b": {"version": "2.0.0"},
        "node_modules/short": {"name": "real", "version": "3.0.0"}},
        "dependencies": {"ignored": {"version": "9.0.0"}}}"#;
    assert_eq!(names(Kind::PackageLock, third), ["@scope/a@1.0.0", "b@2.0.0", "real@3.0.0"]);
}

#[test]
fn yarn_classic_and_newer() {
    let classic = "# yarn lockfile v1\n\n\"@babel/core@^7.0.0\", \"@babel/core@^7.1.0\":\n  \
        version \"7.1.0\"\n  resolved \"https://host/x\"\n  dependencies:\n    version \"9.9.9\"\n\n\
        left@1, left@1.x:\n  version \"1.3.0\"\n\n\"short@npm:real@^1.0.0\":\n  version \"1.0.5\"\n";
    assert_eq!(names(Kind::Yarn, classic), ["@babel/core@7.1.0", "left@1.3.0", "real@1.0.5"]);
    assert_eq!(read(Kind::Yarn, classic).packages[1].line, Some(9));
    let newer = "__metadata:\n  version: 8\n\n\"@babel/core@npm:^7.0.0, @babel/core@npm:^7.1.0\":\n  \
        version: 7.1.0\n  resolution: \"@babel/core@npm:7.1.0\"\n  dependencies:\n    left: \"npm:1\"\n\n\
        \"own@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"own@workspace:.\"\n\n\
        \"short@npm:real@^1.0.0\":\n  version: 1.0.5\n  resolution: \"real@npm:1.0.5\"\n";
    assert_eq!(names(Kind::Yarn, newer), ["@babel/core@7.1.0", "real@1.0.5"]);
    assert!(Kind::Yarn.read(b"<<<<<<< HEAD\n").is_err());
}

#[test]
fn pnpm_of_all_versions() {
    let fifth = "lockfileVersion: 5.4\n\nspecifiers:\n  a: ^1.0.0\n\npackages:\n\n  /a/1.0.0:\n    \
        resolution: {integrity: x}\n    dev: true\n\n  /@scope/b/2.0.0_a@1.0.0:\n    dev: false\n";
    assert_eq!(names(Kind::Pnpm, fifth), ["a@1.0.0", "@scope/b@2.0.0"]);
    let sixth = "lockfileVersion: '6.0'\n\npackages:\n\n  /a@1.0.0:\n    dev: true\n\n  \
        /@scope/b@2.0.0(a@1.0.0)(c@1.0.0):\n    dev: true\n\n  github.com/x/y/abc:\n    dev: true\n";
    assert_eq!(names(Kind::Pnpm, sixth), ["a@1.0.0", "@scope/b@2.0.0"]);
    assert_eq!(read(Kind::Pnpm, sixth).unpinned, ["a package from an address"]);
    let ninth = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies: {}\n\npackages:\n\n  \
        a@1.0.0:\n    resolution: {integrity: x}\n\n  '@scope/b@2.0.0':\n    engines: {node: '>=1'}\n\n\
        snapshots:\n\n  a@1.0.0: {}\n\n  '@scope/b@2.0.0(a@1.0.0)': {}\n";
    assert_eq!(names(Kind::Pnpm, ninth), ["a@1.0.0", "@scope/b@2.0.0"]);
    assert_eq!(read(Kind::Pnpm, ninth).packages[0].line, Some(10));
    assert!(matches!(Kind::Pnpm.read(b"text"), Err(LockFileError::Shape)));
}

#[test]
fn requirements() {
    let text = "# comment\nDjango==4.2.1  # why\nrequests[security,socks] == 2.31.0 ; python_version > '3'\n\
        flask>=2\nnumpy\nwild==1.*\nexact===1.0\nhashed==1.0 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n\
        -r other.txt\n--index-url https://user:pass@host/simple\n-e git+https://host/x#egg=x\n\
        direct @ https://user:pass@host/x.whl\nhttps://user:pass@host/y.whl\n";
    let read = read(Kind::Requirements, text);
    let names: Vec<_> = read.packages.iter().map(|p| format!("{}@{}", p.name, p.version)).collect();
    assert_eq!(names, ["Django@4.2.1", "requests@2.31.0", "exact@1.0", "hashed@1.0"]);
    assert_eq!(read.packages[3].line, Some(8));
    let other = "a package from an address";
    assert_eq!(read.unpinned, ["flask", "numpy", "wild", other, "direct", other]);
    assert_eq!(Kind::of(b"requirements-dev.txt"), Some(Kind::Requirements));
    assert_eq!(Kind::of(b"robots.txt"), None);
}

#[test]
fn poetry_uv_and_pdm() {
    let poetry = "[[package]]\nname = \"django\"\nversion = \"4.2.1\"\noptional = false\n\n[[package]]\n\
        name = \"own\"\nversion = \"0.1\"\n[package.source]\ntype = \"directory\"\nurl = \"../own\"\n\n\
        [metadata]\nlock-version = \"2.0\"\n";
    assert_eq!(names(Kind::Poetry, poetry), ["django@4.2.1"]);
    let uv = "version = 1\n\n[[package]]\nname = \"own\"\nversion = \"0.1\"\nsource = { virtual = \".\" }\n\n\
        [[package]]\nname = \"flask\"\nversion = \"3.0.0\"\nsource = { registry = \"https://host\" }\n";
    assert_eq!(names(Kind::Uv, uv), ["flask@3.0.0"]);
    assert_eq!(read(Kind::Uv, uv).packages[0].line, Some(8));
    let pdm = "[[package]]\nname = \"own\"\nversion = \"0.1\"\npath = \"./own\"\n\n[[package]]\n\
        name = \"idna\"\nversion = \"3.4\"\n";
    assert_eq!(names(Kind::Pdm, pdm), ["idna@3.4"]);
}

#[test]
fn pipfile() {
    let text = r#"{"_meta": {}, "default": {"django": {"version": "==4.2.1"}, "own": {"path": "."}},
        "develop": {"pytest": {"version": "==7.0.0"}, "loose": {"git": "https://host/x"}}}"#;
    assert_eq!(names(Kind::Pipfile, text), ["django@4.2.1", "pytest@7.0.0"]);
    assert_eq!(read(Kind::Pipfile, text).unpinned, ["loose"]);
}

#[test]
fn go() {
    let text = "module example.org/own\n\ngo 1.22\n\nrequire example.org/a v1.0.0\n\nrequire (\n\t\
        example.org/b v1.2.3 // indirect\n\texample.org/c v0.0.0-20200101000000-0123456789ab\n\t\
        example.org/d/v2 v2.0.0\n)\n\nreplace example.org/b => example.org/fork v1.9.0\n\n\
        replace (\n\texample.org/a v1.0.0 => ../a\n\texample.org/c v9.9.9 => ../c\n)\n\
        exclude example.org/z v1.0.0\n";
    assert_eq!(
        names(Kind::GoMod, text),
        [
            "example.org/fork@v1.9.0",
            "example.org/c@v0.0.0-20200101000000-0123456789ab",
            "example.org/d/v2@v2.0.0"
        ]
    );
    assert_eq!(read(Kind::GoMod, text).unpinned, ["stdlib"]);
    let sum = "example.org/a v1.0.0 h1:x=\nexample.org/a v1.0.0/go.mod h1:y=\n\
        example.org/b v0.9.0/go.mod h1:z=\n";
    assert_eq!(names(Kind::GoSum, sum), ["example.org/a@v1.0.0"]);
    assert!(matches!(Kind::GoMod.read(b"not go"), Err(LockFileError::Shape)));
    assert!(Kind::GoSum.read(b"<<<<<<< HEAD\n").is_err());
}

#[test]
fn the_standard_library_of_go_has_the_version_of_the_toolchain() {
    for (lines, version) in [
        ("go 1.22.3", "1.22.3"),
        ("go 1.22.3\ntoolchain go1.23.1", "1.23.1"),
        ("go 1.22\n\ntoolchain go1.22.9-own // built here", "1.22.9"),
        ("go 1.22.3\ntoolchain default", "1.22.3"),
        ("go 1.23rc2", "1.23.0-rc.2"),
    ] {
        let text = format!("module example.org/own\n{lines}\n");
        assert_eq!(names(Kind::GoMod, &text), [format!("stdlib@{version}")], "{lines}");
    }
    // Without a release it is whatever is installed where the module is built.
    for lines in ["go 1.22", "go 1.20\ntoolchain default", "go x.y.z", "go 1.22.3.4"] {
        let read = read(Kind::GoMod, &format!("module example.org/own\n{lines}\n"));
        assert!(read.packages.is_empty(), "{lines}");
        assert_eq!(read.unpinned, ["stdlib"], "{lines}");
    }
    let neither = read(Kind::GoMod, "module example.org/own\n");
    assert!(neither.packages.is_empty() && neither.unpinned.is_empty());
    let toolchain = "module example.org/own\n\ngo 1.22.3\ntoolchain go1.22.5\n";
    assert_eq!(read(Kind::GoMod, toolchain).packages[0].line, Some(4));
}

#[test]
fn malformed_files_are_errors_and_never_panics() {
    let all = [
        Kind::Cargo,
        Kind::PackageLock,
        Kind::Yarn,
        Kind::Pnpm,
        Kind::Requirements,
        Kind::Poetry,
        Kind::Pipfile,
        Kind::Uv,
        Kind::Pdm,
        Kind::GoMod,
        Kind::GoSum,
    ];
    let deep = format!("{}{}", r#"{"dependencies":{"a":"#.repeat(5000), "}}".repeat(5000));
    let texts = [
        "",
        "@",
        "\"",
        "{",
        "[[package]]",
        "packages:\n  @:\n  ':\n  /:\n",
        "a@:\n  version \"",
        "require (",
        "replace =>\n",
        "==\n@ ==1\n-e\n",
        "\u{feff}{}",
        "é\n  é:\n    é",
        &deep,
    ];
    for kind in all {
        for text in texts {
            let _ = kind.read(text.as_bytes());
        }
        assert!(matches!(kind.read(b"\xff\xfe"), Err(LockFileError::NotText)));
    }
    assert!(Kind::PackageLock.read(deep.as_bytes()).is_err());
}

#[test]
fn package_urls() {
    for (ecosystem, name, version, expected) in [
        (Ecosystem::CratesIo, "quick-xml", "0.36.2", "pkg:cargo/quick-xml@0.36.2"),
        (Ecosystem::Npm, "@babel/core", "7.0.0", "pkg:npm/%40babel/core@7.0.0"),
        (Ecosystem::PyPI, "Zope.Interface_x", "1.0+local", "pkg:pypi/zope-interface-x@1.0%2Blocal"),
        (
            Ecosystem::Go,
            "github.com/Masterminds/goutils",
            "v1.1.0+incompatible",
            "pkg:golang/github.com/masterminds/goutils@v1.1.0%2Bincompatible",
        ),
    ] {
        assert_eq!(purl(ecosystem, name, version), expected);
    }
}
