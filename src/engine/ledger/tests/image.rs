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
