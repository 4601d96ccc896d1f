use std::fs;
use std::os::unix::fs::PermissionsExt;

use mail::{Content, Error, Folder, Mailer, Sent};
use uuid::Uuid;

use crate::support::{ID, SECRET, at, mail, mail_to, sender};

#[tokio::test]
async fn a_mail_is_kept_for_this_user_alone_and_its_link_given_back() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("var/mails");
    let mailer = Mailer::folder(Folder::open(&folder).unwrap(), sender());
    let Sent::Kept { file, link } = mailer.send(&mail_to("ann@example.org")).await.unwrap() else {
        panic!("not kept")
    };
    assert_eq!(file, folder.join(format!("20260301T120000.250Z-{ID}.eml")));
    assert!(link.unwrap().expose().contains(SECRET));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(fs::read_to_string(&file).unwrap().contains("To: "));

    let again = mailer.send(&mail_to("ann@example.org")).await.unwrap();
    assert!(matches!(again, Sent::Kept { file: same, .. } if same == file));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "one file, and nothing unfinished");
}

#[tokio::test]
async fn a_mail_without_a_link_gives_none_back() {
    let place = tempfile::tempdir().unwrap();
    let mailer = Mailer::folder(Folder::open(place.path()).unwrap(), sender());
    let notice = mail("ann@example.org", None, Content::AccountErased { at: at() });
    assert!(matches!(mailer.send(&notice).await, Ok(Sent::Kept { link: None, .. })));
}

#[tokio::test]
async fn the_oldest_mails_make_room() {
    let place = tempfile::tempdir().unwrap();
    for number in 0..1000 {
        fs::write(place.path().join(format!("2020-{number:04}.eml")), "").unwrap();
    }
    fs::write(place.path().join("notes.md"), "mine").unwrap();
    let mailer = Mailer::folder(Folder::open(place.path()).unwrap(), sender());
    let mut newest = mail_to("ann@example.org");
    newest.id = Uuid::from_u128(7);
    mailer.send(&newest).await.unwrap();
    assert!(!place.path().join("2020-0000.eml").exists());
    assert!(place.path().join("2020-0001.eml").exists());
    assert!(place.path().join("notes.md").exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1001);
}

#[tokio::test]
async fn a_folder_that_is_gone_is_said_so() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("mails");
    let mailer = Mailer::folder(Folder::open(&folder).unwrap(), sender());
    fs::remove_dir(&folder).unwrap();
    let error = mailer.send(&mail_to("ann@example.org")).await.unwrap_err();
    assert!(matches!(error, Error::Retry(_)), "{error}");
    assert!(error.to_string().contains("could not be written to: No such file"), "{error}");
}
