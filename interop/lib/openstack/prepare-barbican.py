"""prepare-barbican.py: the database that $HOME/.barbican/barbican.conf names."""
import sys

from barbican.cmd.barbican_manage import main

sys.argv = ['barbican-manage', 'db', 'upgrade']
sys.exit(main())
