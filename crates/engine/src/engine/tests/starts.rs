//! Start timestamps count only where they are asked for.

use block::Columns;

use super::*;

#[test]
fn start_timestamps_are_off_by_default() {
    let mut memory = Memory::new();
    let t: Vec<i64> = (2..=6).map(|i| i * 60_000).collect();
    // A delta: each sample starts where the last one was.
    let st = t.iter().map(|t| t - 60_000).collect();
    memory.add(labels("__name__=d_total"), Columns { v: vec![60.0; 5], t, st, ..Columns::default() });
    let on = Settings { start_timestamps: true, ..Settings::default() };
    for (query, off, with) in [
        ("increase(d_total[5m])", Some(0.0), Some(300.0)),
        ("rate(d_total[5m])", Some(0.0), Some(1.0)),
        ("irate(d_total[5m])", Some(0.0), Some(1.0)),
        ("resets(d_total[5m])", Some(0.0), Some(4.0)),
        ("delta(d_total[5m])", Some(0.0), Some(0.0)),
        ("resets(d_total[2m] anchored)", Some(0.0), Some(2.0)),
        ("start_timestamp(d_total)", None, Some(300.0)),
        ("start_timestamp(d_total + 0)", None, None),
        // A subquery's steps have no start.
        ("resets(d_total[5m:1m])", Some(0.0), Some(0.0)),
    ] {
        let ast = promql::parse(query, &promql::Options::default()).expect(query);
        for (settings, expected) in [(Settings::default(), off), (on, with)] {
            let parsed = Query { text: query, ast: &ast };
            let (engine, cx) = (Engine::new(settings), Context::inline(0));
            let found = futures::executor::block_on(engine.instant(&cx, parsed, 360_000, &memory));
            let Value::Vector(found) = found.expect(query) else { panic!("{query}") };
            assert_eq!(found.first().map(|s| s.v), expected, "{query}, {}", settings.start_timestamps);
        }
    }
}
