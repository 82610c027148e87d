cargo bench --offline --locked --bench trial_memory -- --warm-up-time 1 --measurement-time 3
