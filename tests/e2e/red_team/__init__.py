"""What the red team did once, by severity, and the tests that hold each fault and others of its kind (under `tests/`).

| what was done | tests |
| -- | -- |
| CR and LF in parts of a request | unit/connectors/test_request_parts, integration/connectors/security/test_one_request |
| secrets read by templates or a changed address | unit/connectors/opaque/test_uses, unit/targets/test_probe_secrets, integration/connectors/security/test_secret_origins, integration/web/credentials/test_targets |
| periodic tasks switched off by view rights | integration/web/admin/test_actions, integration/web/permissions/test_matrix |
| templates, paths and files without bound | unit/connectors/mapping/test_sandbox, unit/connectors/mapping/test_jmes, unit/bounds/test_formats, unit/bounds/test_files |
| passwords and tokens guessed | integration/web/site/test_sign_in, integration/web/accounts/test_tokens |
| any load to anybody | integration/policy/test_limits, integration/policy/test_hosts, integration/policy/test_panic |
| runs by beat rights alone | integration/web/permissions/test_matrix, integration/runs/schedules/test_beats |
| acts without a trace | integration/audit/test_doors, integration/audit/test_chain |
| files for all, a password in the process list | unit/tokenburn_site/config/test_private_files, unit/tokenburn_site/local/test_first_start |
| escape codes in terminals and Markdown | e2e/test_hostile_target, unit/plain_text/test_visible |
| pages without a policy | integration/web/site/test_headers, e2e/browser/test_policy |
| errors of the server | integration/web/api/test_server_errors, integration/web/site/test_data_errors, integration/fuzz/test_slice |
| broken messages, logs, sockets after a log-out | integration/runs/workers/test_odd_messages, unit/tokenburn_site/test_broker, unit/tokenburn_site/local/test_log_files, integration/web/pages/test_socket |
| two installations on one broker | integration/runs/workers/test_two_installations, unit/runs/test_broker_keys |

`tests/e2e/test_red_team.py` plays them in a chain.
"""  # noqa: E501 - a row of a table is one line
