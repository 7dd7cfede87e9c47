use super::*;

mod reference;

#[test]
fn the_command_line_is_consistent() {
    daemon::flags::switches(command()).debug_assert();
}
