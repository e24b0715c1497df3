//! Images of series: read back, or refused.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn damaged_images_are_refused_and_never_panic(cut in 0usize..400, flip in 0usize..400, with in any::<u8>()) {
        let mut ledger = ledger();
        for slice in 1..200 {
            tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", slice, Trust::Counted)]));
        }
        let mut bytes = image(&ledger);
        if let Some(byte) = bytes.get_mut(flip) {
            *byte ^= with;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        if let Ok(image) = SeriesImage::from_bytes(&bytes) {
            let _ = ledger.restore(image);
        }
    }
}

#[test]
fn an_image_of_another_layout_is_refused_and_not_misread() {
    let mut ledger = ledger();
    tell(&mut ledger, 300, SlotState::Known(vec![fact("a", 7, Trust::Counted)]));
    let mut bytes = image(&ledger);
    assert_eq!(bytes[0], 2, "what is written has changed when its version has");
    for version in [0, 1, 3, 255] {
        bytes[0] = version;
        assert_eq!(SeriesImage::from_bytes(&bytes), Err(ImageError::Version), "{version}");
    }
    assert_eq!(SeriesImage::from_bytes(&[]), Err(ImageError::Damaged));
}

#[test]
fn a_lookback_that_changed_is_remembered_over_restarts() {
    let with = |reach: u32| {
        let mut ledger = Ledger::default();
        ledger.adopt(vec![Keep { reach: Span::from_secs(reach), ..keep("x_total", 28) }]);
        ledger
    };
    let otherwise = |ledger: &Ledger| ledger.series(SeriesIx(0)).unwrap().booked_otherwise();
    let again = |before: &Ledger, reach: u32| {
        let mut after = with(reach);
        assert_eq!(after.restore(SeriesImage::from_bytes(&image(before)).unwrap()), Ok(true));
        after
    };
    let mut ledger = with(600);
    for slice in 1..=10 {
        tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", slice, Trust::Counted)]));
    }
    assert_eq!(otherwise(&again(&ledger, 600)), None);
    // The journal is read after the image, and was written by the process before.
    let later = again(&ledger, 780);
    assert_eq!(otherwise(&later), Some(Ts(10 * S + 3 * 3600)));
    assert_eq!(otherwise(&again(&later, 780)), otherwise(&later));
    // While the process lives it is known up to where.
    ledger.adopt(vec![Keep { reach: Span::from_secs(780), ..keep("x_total", 28) }]);
    assert_eq!(otherwise(&ledger), Some(Ts(10 * S)));
    assert_eq!(otherwise(&again(&ledger, 780)), Some(Ts(10 * S)));
}
