//! One source, several machines: a loop compiled for wider vectors as well and chosen at run time.
//! No contraction takes place, so all versions give the same bits.

/// Declares a function whose body is compiled three times on x86-64: baseline, AVX2 and AVX-512.
/// The body must inline into the wrappers, so it calls only `#[inline(always)]` functions.
macro_rules! widest {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $type),*) {
            #[inline(always)]
            fn body($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($arg: $type),*) {
                    body($($arg),*);
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) {
                    body($($arg),*);
                }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                {
                    #[expect(unsafe_code, reason = "calling a function with target features from one without")]
                    // SAFETY: the CPU has the features, as was just looked up.
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    #[expect(unsafe_code, reason = "calling a function with target features from one without")]
                    // SAFETY: the CPU has the feature, as was just looked up.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*);
        }
    };
}

/// As [`widest`], for bodies that know by the constant `FUSED` whether the CPU has fused multiply-add.
/// They use it only where the outcome is the same bits as without.
macro_rules! widest_fused {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[inline(always)]
                fn fused($($arg: $type),*) {
                    const FUSED: bool = true;
                    $body
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
                fn avx512($($arg: $type),*) {
                    fused($($arg),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) {
                    fused($($arg),*);
                }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
                {
                    #[expect(unsafe_code, reason = "calling a function with target features from one without")]
                    // SAFETY: the CPU has the features, as was just looked up.
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    #[expect(unsafe_code, reason = "calling a function with target features from one without")]
                    // SAFETY: the CPU has the features, as was just looked up.
                    return unsafe { avx2($($arg),*) };
                }
            }
            const FUSED: bool = false;
            $body
        }
    };
}

pub(crate) use {widest, widest_fused};
