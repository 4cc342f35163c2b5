pdnsutil --config-dir={{FOLDER}} create-secondary-zone {{ZONE}} {{GATEWAY}}:{{GATEWAY_PORT}}
pdnsutil --config-dir={{FOLDER}} activate-tsig-key {{ZONE}} {{KEY_NAME}} secondary
