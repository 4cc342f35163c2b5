"""prepare-keystone.py keystone.conf URL KEYFOLDER...: keys, database, and the user admin with password adminpw."""
import os
import sqlite3
import sys

from cryptography.fernet import Fernet

config, url, folders = sys.argv[1], sys.argv[2], sys.argv[3:]
for folder in folders:
    os.makedirs(folder, 0o700)
    for number in '01':
        with open(f'{folder}/{number}', 'wb', opener=lambda path, flags: os.open(path, flags, 0o600)) as key:
            key.write(Fernet.generate_key())
from keystone.cmd import cli

manage = ['keystone-manage', '--config-file', config]
child = os.fork()  # oslo.config reads its configuration once in a process
if child == 0:
    cli.main(manage + ['db_sync'])
    sys.stderr.flush()
    os._exit(0)
if os.waitpid(child, 0)[1] != 0:
    sys.exit('keystone-manage db_sync failed')
database = os.path.join(os.path.dirname(config), 'keystone.sqlite')
sqlite3.connect(database).execute('pragma journal_mode=wal').fetchone()
addresses = [f'--bootstrap-{name}-url={url}' for name in ('public', 'internal', 'admin')]
cli.main(manage + ['bootstrap', '--bootstrap-password', 'adminpw', '--bootstrap-service-name', 'keystone',
                   '--bootstrap-region-id', 'RegionOne'] + addresses)
