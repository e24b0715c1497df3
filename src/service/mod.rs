//! THE SHELL: tick, delivery, reload, shutdown; the only place with a clock.
