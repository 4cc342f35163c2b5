/** keystone.conf for SQLite in a folder and Fernet tokens of a lifetime in seconds. */
export function keystoneConf(folder: string, url: string, tokenSeconds: number): string {
  return `[DEFAULT]
use_stderr = true
log_file = ${folder}/keystone.log
transport_url = fake://
public_endpoint = ${url.replace(/\/v3$/, '')}
[database]
connection = sqlite:///${folder}/keystone.sqlite
sqlite_synchronous = false
[token]
provider = fernet
expiration = ${tokenSeconds}
allow_expired_window = 0
[fernet_tokens]
key_repository = ${folder}/fernet-keys
[fernet_receipts]
key_repository = ${folder}/fernet-keys
[credential]
key_repository = ${folder}/credential-keys
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
expiration_time = 600
`;
}

/** barbican.conf for SQLite in a folder, its own encryption, and tokens of a Keystone. */
export function barbicanConf(folder: string, url: string, keystoneUrl: string, kek: string): string {
  return `[DEFAULT]
sql_connection = sqlite:///${folder}/barbican.sqlite
host_href = ${url}
transport_url = fake://
use_stderr = true
log_file = ${folder}/barbican.log
[simple_crypto_plugin]
kek = ${kek}
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[queue]
enable = False
[keystone_authtoken]
www_authenticate_uri = ${keystoneUrl}
auth_url = ${keystoneUrl}
auth_type = password
username = barbican
password = barbicanpw
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
service_token_roles_required = true
token_cache_time = -1
`;
}
