"""`vpin import-blynk`: takes over the data folder of a Blynk server 0.41 (spec 06, 7; spec 03, 17).

:mod:`.folder` finds the files, :mod:`.reading` reads the text of a profile, :mod:`.profiles` makes an account of it by
the rules of the state service, :mod:`.history` reads averages; :mod:`.taking` is one run, :mod:`.deciding` says what becomes of
each account, :mod:`.storing` puts it into the store, :mod:`.report` tells. The folder is read and never written.
"""
