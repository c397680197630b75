"""``python -m casesnb`` is the ``casesnb`` command."""

import sys

from casesnb.cli import main

sys.exit(main())
