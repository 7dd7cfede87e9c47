use super::*;

/// Numbers without an order, `n` of them below `end`.
fn numbers(n: usize, end: u64) -> Vec<u32> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 32) * end) >> 32) as u32
    };
    (0..n).map(next).collect()
}

#[test]
fn a_union_is_sorted_and_has_each_member_once_however_it_is_made() {
    for (n, end) in [(0, 1), (100, 50), (5000, 1 << 32), (20_000, 1 << 24), (20_000, 30_000)] {
        let members = numbers(n, end);
        let mut expected = members.clone();
        expected.sort_unstable();
        expected.dedup();
        let mut lists: Vec<Vec<u8>> = Vec::new();
        for list in members.chunks(7) {
            let mut list = list.to_vec();
            list.sort_unstable();
            lists.push(list.iter().flat_map(|member| member.to_be_bytes()).collect());
        }
        let union = || Union::of(lists.iter().map(|list| Ok(Postings::new(list))), n, end).unwrap();
        assert_eq!(union().into_sorted(), expected, "{n} below {end}");
        let every: Vec<u32> = (0..end.min(60_000) as u32).collect();
        for keep in [true, false] {
            let mut left = every.clone();
            union().filter(&mut left, keep);
            let holds = |member: &&u32| expected.binary_search(member).is_ok() == keep;
            assert_eq!(left, every.iter().filter(holds).copied().collect::<Vec<_>>(), "{n} below {end}");
        }
    }
}
