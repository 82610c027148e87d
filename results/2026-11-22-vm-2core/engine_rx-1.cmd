cargo bench --offline --locked --bench engine_rx -- --warm-up-time 1 --measurement-time 3
