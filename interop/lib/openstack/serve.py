"""serve.py keystone|barbican PORT [paste.ini]: one service on 127.0.0.1, on one thread, since SQLite is behind it."""
import os
import signal
import sys

kind, port = sys.argv[1], int(sys.argv[2])
paste = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None
sys.argv[1:] = []  # oslo.config reads them as well
if kind == 'keystone':
    from keystone.server.wsgi import initialize_public_application
    application = initialize_public_application()
else:
    from paste import deploy
    application = deploy.loadapp('config:' + paste, name='main')
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
from waitress import serve
serve(application, host='127.0.0.1', port=port, threads=1, ident=None)
