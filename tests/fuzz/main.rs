#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| { let _ = damper::slo::time::Ts::default(); let _ = data; });
