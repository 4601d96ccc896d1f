use domain::scans::ScanStatus;
use projections::scans::ScanRow;

/// What a reader must know before the findings. Empty only when the scan has ended and every
/// engine looked at everything without a remark.
pub(super) fn caveats(scan: &ScanRow) -> Vec<String> {
    let mut caveats = Vec::new();
    let reason = || scan.reason.as_deref().unwrap_or("no reason is known");
    match scan.state {
        ScanStatus::New | ScanStatus::Queued => {
            caveats.push("The scan has not begun: nothing was looked at yet.".to_owned());
        }
        ScanStatus::Running => {
            caveats.push("The scan has not ended: findings are still being added.".to_owned());
        }
        ScanStatus::Failed => caveats.push(format!(
            "The scan failed ({}): it says nothing about what it did not reach.",
            reason()
        )),
        ScanStatus::Cancelled => caveats.push(
            "The scan was cancelled: it says nothing about what it did not reach.".to_owned(),
        ),
        ScanStatus::Completed if !scan.complete => caveats.push(
            "Not every engine could look at everything: weaknesses may have been missed."
                .to_owned(),
        ),
        ScanStatus::Completed => {}
    }
    for warning in &scan.warnings {
        let engine = warning.engine.map(|engine| format!("{engine}: ")).unwrap_or_default();
        caveats.push(format!("{engine}{} ({})", warning.message, warning.code));
    }
    caveats
}

/// The result in one sentence. Only a scan that saw everything may say that it found nothing.
pub(super) fn verdict(scan: &ScanRow) -> String {
    let open = scan.counts.total();
    let found = match open {
        0 => "no open findings".to_owned(),
        1 => "1 open finding".to_owned(),
        n => format!("{n} open findings"),
    };
    if is_conclusive(scan) {
        format!("The scan is complete, with {found}.")
    } else if scan.state == ScanStatus::Completed {
        format!("The scan ended incomplete, with {found} in what it saw.")
    } else {
        format!("The scan is {}, with {found} so far.", scan.state.as_str())
    }
}

/// Whether the report speaks for the whole target.
pub(super) fn is_conclusive(scan: &ScanRow) -> bool {
    scan.state == ScanStatus::Completed && scan.complete
}
